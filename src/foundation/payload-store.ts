/** Where payloads are kept that are too large for a task, each under a key that begins with its day. */

/**
 * Every verb throws CloudTasksError: UNAVAILABLE while the store can't be reached, PERMISSION_DENIED
 * or FAILED_PRECONDITION where it refuses.
 */
export interface PayloadStore {
  /** Keeps the bytes; durable when this answers, since the task that names them is made next. */
  put(key: string, bytes: Uint8Array): Promise<void>;

  /**
   * No more than its first `limit` bytes; undefined when there is no such payload, or none any more.
   */
  get(key: string, limit: number): Promise<Uint8Array | undefined>;

  /** Keeps the same bytes under another key too; false when there are none to copy. */
  copy(from: string, to: string): Promise<boolean>;

  /**
   * Removes the payloads of all days before this one. Several processes may do it at once.
   *
   * @param day `2030-01-31`
   * @returns how many
   */
  removeBefore(day: string): Promise<number>;
}

/** A day and a random id: `2030-01-31/1b4e28ba-2fa1-41d2-883f-0016d3cca427`. */
export const PAYLOAD_KEY =
  /^\d{4}-\d{2}-\d{2}\/[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;

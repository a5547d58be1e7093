/** Opens the store of payloads that are too large for a task. */
import type { PayloadStore } from '../foundation/payload-store.js';

export type PayloadPlace =
  | { readonly folder: string }
  | {
      readonly bucket: string;
      readonly prefix: string;
      readonly apiEndpoint?: string | undefined;
    };

/**
 * Loads what the place needs, and no other.
 *
 * @throws CloudTasksError FAILED_PRECONDITION for a folder that can't be made or a client that is
 *   not installed
 */
export async function openPayloadStore(place: PayloadPlace): Promise<PayloadStore> {
  if ('folder' in place) {
    const { PayloadFolder } = await import('../adapters/payload-folder.js');
    return new PayloadFolder(place.folder);
  }
  const { openPayloadBucket } = await import('../adapters/payload-bucket.js');
  return openPayloadBucket(place);
}

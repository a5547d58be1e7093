/** Which part of the app a process is, where they are deployed apart. */

export const ROLES = ['all', 'api', 'worker', 'relay'] as const;
/**
 * `api` serves those who enqueue, `worker` the handlers, `relay` the relay's handler alone. All else,
 * such as health, is served by each.
 */
export type Role = (typeof ROLES)[number];

export function servesProducers(role: Role): boolean {
  return role === 'all' || role === 'api';
}

/** Instead of how producers show who they are, where none are served. */
export interface NoProducers {
  readonly kind: 'nobody';
}

/** Google Cloud Scheduler, or an emulator of it, as a CloudSchedulerApi. */
import { googleCloudScheduler } from '../adapters/google-cloud-scheduler.js';
import type { CloudSchedulerApi } from '../engine/cloud-scheduler-api.js';

/**
 * Loads and opens Google's client.
 *
 * @param options.emulatorHost `host:port` of a compatible server, the engine for one, used without
 *   credentials. Default: Google, with the credentials of the environment.
 * @throws INVALID_ARGUMENT for an `emulatorHost` that is no address; UNAUTHENTICATED when there
 *   are no credentials for Google.
 */
export async function connectScheduler(
  options: { emulatorHost?: string } = {},
): Promise<CloudSchedulerApi & { close(): Promise<void> }> {
  return googleCloudScheduler(options);
}

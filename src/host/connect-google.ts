/** Google Cloud Tasks, or an emulator of it, as a CloudTasksApi. */
import { googleCloudTasks } from '../adapters/google-cloud-tasks.js';
import type { CloudTasksApi } from '../engine/cloud-tasks-api.js';

/**
 * Loads and opens Google's client.
 *
 * @param options.emulatorHost `host:port` or `http://host:port` of a Cloud Tasks-compatible server,
 *   used without credentials. Default: Google, with the credentials of the environment.
 * @throws INVALID_ARGUMENT for an `emulatorHost` that is no address; UNAUTHENTICATED when there
 *   are no credentials for Google.
 */
export async function connectGoogle(
  options: { emulatorHost?: string } = {},
): Promise<CloudTasksApi & { close(): Promise<void> }> {
  return googleCloudTasks(options);
}

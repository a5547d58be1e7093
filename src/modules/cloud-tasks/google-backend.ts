/** The backend that is Cloud Tasks itself, or a server compatible with it. */
import type { CloudTasksApi } from '../../engine/cloud-tasks-api.js';
import type { CloudTasksOptions } from './cloud-tasks-options.js';
import { locationName } from './cloud-tasks-options.js';
import type { DispatchProof } from './queue-backend.js';
import { QueueBackend } from './queue-backend.js';

export class GoogleBackend extends QueueBackend {
  readonly kind = 'google';
  /** Both spellings of the issuer are Google's. */
  readonly proof: DispatchProof = {
    issuers: ['https://accounts.google.com', 'accounts.google.com'],
    jwksUrl: 'https://www.googleapis.com/oauth2/v3/certs',
  };

  private constructor(
    location: string,
    readonly api: CloudTasksApi & { close(): Promise<void> },
  ) {
    super(location);
  }

  static async connect(options: CloudTasksOptions): Promise<GoogleBackend> {
    const location = locationName(options);
    const { emulatorHost } = options;
    // Only here: loading Google's client takes more than half a second.
    const { connectGoogle } = await import('../../host/connect-google.js');
    const api = await connectGoogle(emulatorHost === undefined ? {} : { emulatorHost });
    return new GoogleBackend(location, api);
  }

  /** Google dispatches when it likes. */
  async dispatch(): Promise<void> {}

  /** Never made silently: a queue on Google is somebody's decision, and costs a permission. */
  async ensureQueues(): Promise<void> {}

  /** What is in flight ends with the HTTP server, which waits for it. */
  async drain(): Promise<void> {}

  close(): Promise<void> {
    return this.api.close();
  }
}

/** The backend that is Cloud Tasks itself, or a server compatible with it. */
import { Logger } from '@nestjs/common';
import type { CloudTasksApi } from '../../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../engine/errors.js';
import type { QueuesPlan } from '../../host/queues-plan.js';
import { wantedQueues } from '../../host/wanted-queues.js';
import type { WantedSchedule } from '../../foundation/schedule-plan.js';
import type { CloudTasksOptions } from './cloud-tasks-options.js';
import { locationName } from './cloud-tasks-options.js';
import type { DispatchProof } from './queue-backend.js';
import { QueueBackend } from './queue-backend.js';
import { warnOfDrift } from './queues-at-start.js';

const logger = new Logger('Tasks');

export class GoogleBackend extends QueueBackend {
  readonly kind = 'google';
  /** Both spellings of the issuer are Google's. */
  readonly proof: DispatchProof = {
    issuers: ['https://accounts.google.com', 'accounts.google.com'],
    jwksUrl: 'https://www.googleapis.com/oauth2/v3/certs',
  };

  private closed = false;

  private constructor(
    location: string,
    readonly api: CloudTasksApi & { close(): Promise<void> },
    readonly plannedSchedules: readonly WantedSchedule[],
  ) {
    super(location);
  }

  static async connect(options: CloudTasksOptions): Promise<GoogleBackend> {
    const location = locationName(options);
    const { emulatorHost } = options;
    const wanted = await wantedQueues(options);
    // Only here: loading Google's client takes more than half a second.
    const { connectGoogle } = await import('../../host/connect-google.js');
    const api = await connectGoogle(emulatorHost === undefined ? {} : { emulatorHost });
    const backend = new GoogleBackend(location, api, wanted?.schedules ?? []);
    // Beside the start, which has not to wait for what is only a warning.
    if (wanted) void backend.compareQueues(wanted);
    return backend;
  }

  /** Google dispatches when it likes. */
  async dispatch(): Promise<void> {}

  /** Never made silently: a queue on Google is somebody's decision, and costs a permission. */
  async ensureQueues(): Promise<void> {}

  /** Nor jobs: `nest-cloud-tasks schedules apply` makes them, when somebody says so. */
  async ensureSchedules(): Promise<void> {}

  async idToken(): Promise<string> {
    throw new CloudTasksError('FAILED_PRECONDITION', "Google's own service mints its tokens.");
  }

  /** What is in flight ends with the HTTP server, which waits for it. */
  async drain(): Promise<void> {}

  close(): Promise<void> {
    this.closed = true;
    return this.api.close();
  }

  /** An app needs no permission to read queues, so it goes on without. */
  private async compareQueues(wanted: QueuesPlan): Promise<void> {
    try {
      await warnOfDrift(this.api, this.location, wanted, logger);
    } catch (error) {
      if (!this.closed)
        logger.warn(`Queues can't be compared with the wanted ones. ${String(error)}`);
    }
  }
}

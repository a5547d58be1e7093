/** What the rest of the library knows of a backend: its API, and who its dispatches come from. */
import type { CloudTasksApi, CreateTaskRequest } from '../../engine/cloud-tasks-api.js';
import type { Duration } from '../../engine/time.js';
import type { TickTarget } from '../../host/schedule-jobs.js';
import type { WantedSchedule } from '../../foundation/schedule-plan.js';

/** Injects the queue and task verbs, `CloudTasksApi`, of whichever backend runs. */
export const CLOUD_TASKS = Symbol('CLOUD_TASKS');

/** Injects the `Clock` that delays, deadlines and tokens are measured with. */
export const CLOCK = Symbol('CLOCK');

/** Injects the `Cron` that reads schedules. */
export const CRON = Symbol('CRON');

/** Injects the `TaskSeal` of whoever signs tasks, where somebody does. */
export const TASK_SEAL = Symbol('TASK_SEAL');

/** Sees every task before it is created, whichever module makes it. */
export interface TaskSeal {
  seal(request: CreateTaskRequest): Promise<CreateTaskRequest>;
}

/** The same verbs, with a `createTask` that seals. */
export function sealing<Api extends CloudTasksApi>(api: Api, seal: TaskSeal): Api {
  const createTask = async (request: CreateTaskRequest) => api.createTask(await seal.seal(request));
  return new Proxy(api, {
    get(target, name) {
      if (name === 'createTask') return createTask;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** How a dispatch of this backend proves where it comes from. */
export interface DispatchProof {
  /** The `iss` that its ID tokens may have. */
  readonly issuers: readonly string[];
  /** Where the keys are that those tokens verify with. */
  readonly jwksUrl: string;
  /** Signs App Engine dispatches; absent, none is to be believed. */
  readonly secret?: string;
}

export abstract class QueueBackend {
  abstract readonly kind: 'embedded' | 'google';
  abstract readonly api: CloudTasksApi;
  abstract readonly proof: DispatchProof;

  /** @param location full name: `projects/local/locations/us-central1` */
  constructor(readonly location: string) {}

  /** @returns `projects/local/locations/us-central1/queues/default` for `default` */
  queueName(id: string): string {
    return `${this.location}/queues/${id}`;
  }

  /** This process has logged why an attempt of the task failed, so that its queue needn't tell. */
  failureIsLogged(_queue: string, _taskId: string): void {
    // A queue elsewhere tells this process nothing.
  }

  /** Lets dispatching begin, once the app listens at `appUrl`. */
  abstract dispatch(appUrl: string): Promise<void>;

  /**
   * Creates the queues that are missing, each with the one of its dead letters, where that is this
   * process's to do.
   */
  abstract ensureQueues(ids: Iterable<string>): Promise<void>;

  /** Those of the file that also has the queues. */
  abstract readonly plannedSchedules: readonly WantedSchedule[];

  /** Makes their jobs, and deletes those that are gone, where that is this process's to do. */
  abstract ensureSchedules(schedules: readonly WantedSchedule[], target: TickTarget): Promise<void>;

  /**
   * An ID token of the issuer that this backend runs itself, for calls of the app's own.
   *
   * @throws CloudTasksError FAILED_PRECONDITION where there is none: Google mints its own
   */
  abstract idToken(claims: { readonly email: string; readonly audience: string }): Promise<string>;

  /** Stops dispatching; resolves when what is in flight has ended, after `limit` at the latest. */
  abstract drain(limit: Duration): Promise<void>;

  abstract close(): Promise<void>;
}

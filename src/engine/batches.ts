/** Carries batches out, one task after the other as far as each can tell, and remembers the last. */
import type {
  BatchCreateTasksRequest,
  BatchDeleteTasksRequest,
  Operation,
  Status,
} from './batch-api.js';
import type { CloudTasksApi, Task } from './cloud-tasks-api.js';
import { refusal } from './error-catalogue.js';
import { CloudTasksError } from './errors.js';
import type { Clock, EngineEvents, Random } from './ports.js';
import { parseQueueName } from './resource-name.js';

const MOST_CREATES = 100;
const MOST_DELETES = 1000;
/** Operations that are remembered, and how many tasks they may have asked for in all. */
const REMEMBERED = 1000;
const REMEMBERED_TASKS = 5_000;
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

export interface BatchPorts {
  readonly api: Pick<CloudTasksApi, 'createTask' | 'deleteTask'>;
  /** Throws when there is no such queue: then the batch is refused as a whole. */
  readonly checkQueue: (name: string) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly onEvent: EngineEvents;
}

export class Batches {
  /** By name, oldest first. Also those under way, so that one asked for twice is done once. */
  private readonly operations = new Map<string, { done: Promise<Operation>; size: number }>();
  private remembered = 0;

  constructor(private readonly ports: BatchPorts) {}

  async create({ parent, requests, requestId }: BatchCreateTasksRequest): Promise<Operation> {
    checkSize(requests.length, MOST_CREATES, 'requests');
    for (const [index, { parent: own }] of requests.entries()) {
      if (own && own !== parent) {
        const field = `requests[${index}].parent`;
        throw refusal('OTHER_PARENT', { index, own, parent, field });
      }
    }
    const { api } = this.ports;
    return this.once(parent, requestId, 'create', requests.length, () =>
      requests.map((request) => api.createTask({ ...request, parent })),
    );
  }

  async delete({ parent, names, requestId }: BatchDeleteTasksRequest): Promise<Operation> {
    checkSize(names.length, MOST_DELETES, 'names');
    const { api } = this.ports;
    return this.once(parent, requestId, 'delete', names.length, () =>
      names.map(async (name) => {
        if (!name.startsWith(`${parent}/tasks/`)) {
          const queue = name.replace(/\/tasks\/.*$/s, '');
          throw refusal('OTHER_QUEUE', { parent, queue, field: 'names' });
        }
        await api.deleteTask({ name });
        return undefined;
      }),
    );
  }

  async operation(name: string): Promise<Operation> {
    const known = this.operations.get(name);
    if (!known) throw refusal('NO_OPERATION', { name, field: 'name' });
    return known.done;
  }

  private async once(
    parent: string,
    requestId: string | undefined,
    kind: Operation['kind'],
    size: number,
    begin: () => Promise<Task | undefined>[],
  ): Promise<Operation> {
    const { project, location } = parseQueueName(parent, 'parent');
    if (requestId !== undefined && !UUID.test(requestId)) {
      throw refusal('REQUEST_ID', { got: requestId, field: 'requestId' });
    }
    const id = requestId?.toLowerCase() ?? this.newId();
    const name = `projects/${project}/locations/${location}/operations/${id}`;
    const known = this.operations.get(name);
    if (known) return known.done;
    this.ports.checkQueue(parent);
    const done = this.carryOut(name, kind, begin);
    this.operations.set(name, { done, size });
    this.remembered += size;
    this.forgetOldest();
    return done;
  }

  private forgetOldest(): void {
    for (const [name, { size }] of this.operations) {
      if (this.operations.size <= REMEMBERED && this.remembered <= REMEMBERED_TASKS) return;
      this.operations.delete(name);
      this.remembered -= size;
    }
  }

  private async carryOut(
    name: string,
    kind: Operation['kind'],
    begin: () => Promise<Task | undefined>[],
  ): Promise<Operation> {
    const { clock } = this.ports;
    const startTime = clock.now();
    const outcomes = await Promise.allSettled(begin());
    const tasks: Task[] = [];
    const failedRequests: Record<number, Status> = {};
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === 'rejected') failedRequests[index] = this.statusOf(outcome.reason);
      else if (outcome.value) tasks.push(outcome.value);
    }
    const failed = Object.keys(failedRequests).length;
    const done = { name, kind, startTime, endTime: clock.now(), failedRequests, tasks };
    if (failed === 0) return { ...done, state: 'SUCCEEDED' };
    if (failed < outcomes.length) return { ...done, state: 'PARTIALLY_SUCCEEDED' };
    const metadata = kind === 'create' ? 'BatchCreateTasksMetadata' : 'BatchDeleteTasksMetadata';
    return {
      ...done,
      state: 'FAILED',
      error: this.statusOf(refusal('BATCH_FAILED', { metadata })),
    };
  }

  private statusOf(thrown: unknown): Status {
    if (!(thrown instanceof CloudTasksError)) {
      this.ports.onEvent({ type: 'server-failure', error: thrown });
    }
    const { code, message } = thrown instanceof CloudTasksError ? thrown : refusal('INTERNAL', {});
    return { code, message };
  }

  /** A UUID of version 4. */
  private newId(): string {
    const { random } = this.ports;
    return 'xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx'.replace(/x/g, () =>
      Math.floor(random() * 16).toString(16),
    );
  }
}

function checkSize(count: number, most: number, what: string): void {
  if (count < 1 || count > most) {
    throw refusal('BATCH_SIZE', { most, what, count, field: what });
  }
}

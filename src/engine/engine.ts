/** Cloud Tasks itself, and Cloud Scheduler: every verb, of the parts that know about it. */
import type { BatchCreateTasksRequest, BatchDeleteTasksRequest, Operation } from './batch-api.js';
import { Batches } from './batches.js';
import type {
  CreateJobRequest,
  Job,
  ListJobsAnswer,
  ListJobsRequest,
  UpdateJobRequest,
} from './cloud-scheduler-api.js';
import type {
  CreateQueueRequest,
  CreateTaskRequest,
  GetQueueRequest,
  ListQueuesAnswer,
  ListQueuesRequest,
  ListTasksRequest,
  Queue,
  Task,
  TaskRequest,
  UpdateQueueRequest,
} from './cloud-tasks-api.js';
import type { CmekConfig, UpdateCmekConfigRequest } from './cmek-config.js';
import { CmekConfigs } from './cmek-config.js';
import type { BufferTaskRequest, EngineApi } from './engine-api.js';
import type { IamPolicy, SetIamPolicyRequest } from './iam-api.js';
import { heldPermissions, IamPolicies } from './iam.js';
import { Jobs } from './jobs.js';
import type { ListLocationsAnswer, ListLocationsRequest, Location } from './locations.js';
import { locationOf, locationsOf } from './locations.js';
import type {
  Clock,
  Cron,
  EngineEvents,
  Random,
  TaskStore,
  TokenIssuer,
  Transport,
} from './ports.js';
import type { QueuesRules } from './queues.js';
import { Queues } from './queues.js';
import { parseQueueName } from './resource-name.js';
import { Tasks } from './tasks.js';
import type { Instant } from './time.js';
import { DAY, HOUR } from './time.js';

export interface EnginePorts {
  readonly clock: Clock;
  readonly cron: Cron;
  readonly random: Random;
  readonly store: TaskStore;
  readonly transport: Transport;
  readonly tokens: TokenIssuer;
  readonly onEvent: EngineEvents;
}

export type EngineRules = Partial<QueuesRules>;

/** What it answers is a copy: a caller may do with it as it likes. */
export class Engine implements EngineApi {
  private readonly queues: Queues;
  private readonly tasks: Tasks;
  private readonly jobs: Jobs;
  private readonly policies: IamPolicies;
  private readonly cmekConfigs: CmekConfigs;
  private readonly batches: Batches;

  constructor(
    private readonly ports: EnginePorts,
    given: EngineRules = {},
  ) {
    const rules: QueuesRules = {
      taskTombstone: HOUR,
      queueTombstone: 7 * DAY,
      trustsHttp: () => false,
      ...given,
    };
    const { trustsHttp } = rules;
    this.policies = new IamPolicies(ports);
    this.queues = new Queues({ ...ports, policies: this.policies }, rules);
    this.tasks = new Tasks({ ...ports, trustsHttp }, this.queues);
    this.jobs = new Jobs({ ...ports, trustsHttp });
    this.cmekConfigs = new CmekConfigs(ports.store);
    const checkQueue = (name: string) => void this.queues.found(name, 'parent');
    this.batches = new Batches({ ...ports, api: this.tasks, checkQueue });
  }

  /** Lets dispatching begin; before, tasks are only taken. */
  dispatch(): void {
    this.queues.dispatch();
    this.jobs.dispatch();
  }

  /** Only takes tasks, until `dispatch` is called again; what is in flight goes on. */
  hold(): void {
    this.queues.hold();
    this.jobs.hold();
  }

  /** Resolves once every attempt in flight is settled, those included that begin meanwhile. */
  async settled(): Promise<void> {
    do {
      await Promise.all([this.queues.settled(), this.jobs.settled()]);
    } while (this.attemptsInFlight > 0);
  }

  /** How many were sent, or are about to be, and are not settled. */
  get attemptsInFlight(): number {
    return this.queues.attemptsInFlight + this.jobs.attemptsInFlight;
  }

  /** Stops dispatching for good; resolves once every attempt in flight is settled. */
  async drain(): Promise<void> {
    this.jobs.hold();
    await Promise.all([this.queues.drain(), this.jobs.settled()]);
  }

  /** Ends at once: what is in flight is cut, not settled, and so delivered again. */
  abandon(): void {
    this.queues.abandon();
    this.jobs.abandon();
  }

  /**
   * Resolves once nothing is in flight and no queue that runs has a task that is due: to when the
   * next one is, or to undefined when none waits. Not at all once `signal` has aborted.
   */
  async whenIdle(signal: AbortSignal): Promise<Instant | undefined> {
    await this.jobs.settled();
    return this.queues.whenIdle(signal);
  }

  /**
   * Forgets every task and every name that was taken; the queues and the jobs too, unless they are
   * to be kept.
   * What is in flight is cut, and settles nothing.
   */
  async reset(how: { readonly keepQueues: boolean }): Promise<void> {
    if (!how.keepQueues) await this.jobs.reset();
    await this.queues.reset(how);
  }

  async listQueues(request: ListQueuesRequest): Promise<ListQueuesAnswer> {
    return this.queues.list(request);
  }

  async getQueue(request: GetQueueRequest): Promise<Queue> {
    return this.queues.get(request);
  }

  async createQueue(request: CreateQueueRequest): Promise<Queue> {
    return this.queues.create(request);
  }

  async updateQueue(request: UpdateQueueRequest): Promise<Queue> {
    return this.queues.update(request);
  }

  async deleteQueue(request: { name: string }): Promise<void> {
    return this.queues.delete(request);
  }

  async purgeQueue(request: { name: string }): Promise<Queue> {
    return this.queues.purge(request);
  }

  async pauseQueue({ name }: { name: string }): Promise<Queue> {
    return this.queues.setState(name, 'PAUSED');
  }

  async resumeQueue({ name }: { name: string }): Promise<Queue> {
    return this.queues.setState(name, 'RUNNING');
  }

  async listTasks(request: ListTasksRequest): Promise<{ tasks: Task[]; nextPageToken?: string }> {
    return this.tasks.listTasks(request);
  }

  async getTask(request: TaskRequest): Promise<Task> {
    return this.tasks.getTask(request);
  }

  async createTask(request: CreateTaskRequest): Promise<Task> {
    return this.tasks.createTask(request);
  }

  async deleteTask(request: { name: string }): Promise<void> {
    return this.tasks.deleteTask(request);
  }

  async runTask(request: TaskRequest): Promise<Task> {
    return this.tasks.runTask(request);
  }

  async getIamPolicy({ resource }: { resource: string }): Promise<IamPolicy> {
    return this.policies.get(this.queues.found(resource, 'resource').queue.name);
  }

  async setIamPolicy(request: SetIamPolicyRequest): Promise<IamPolicy> {
    return this.queues.inTurn(async () => {
      this.queues.found(request.resource, 'resource');
      return this.policies.set(request);
    });
  }

  async testIamPermissions(request: {
    resource: string;
    permissions: string[];
  }): Promise<{ permissions: string[] }> {
    const { resource, permissions } = request;
    parseQueueName(resource, 'resource');
    return { permissions: heldPermissions(permissions, this.queues.has(resource)) };
  }

  async listLocations(request: ListLocationsRequest): Promise<ListLocationsAnswer> {
    const names = [...this.queues.names(), ...this.jobs.names()];
    return locationsOf(request, names, this.ports.clock.now());
  }

  async getLocation({ name }: { name: string }): Promise<Location> {
    return locationOf(name);
  }

  async batchCreateTasks(request: BatchCreateTasksRequest): Promise<Operation> {
    return this.batches.create(request);
  }

  async batchDeleteTasks(request: BatchDeleteTasksRequest): Promise<Operation> {
    return this.batches.delete(request);
  }

  async getOperation({ name }: { name: string }): Promise<Operation> {
    return this.batches.operation(name);
  }

  async bufferTask(request: BufferTaskRequest): Promise<Task> {
    return this.tasks.bufferTask(request);
  }

  async getCmekConfig({ name }: { name: string }): Promise<CmekConfig> {
    return this.cmekConfigs.get(name);
  }

  async updateCmekConfig(request: UpdateCmekConfigRequest): Promise<CmekConfig> {
    return this.cmekConfigs.update(request);
  }

  async listJobs(request: ListJobsRequest): Promise<ListJobsAnswer> {
    return this.jobs.listJobs(request);
  }

  async getJob(request: { name: string }): Promise<Job> {
    return this.jobs.getJob(request);
  }

  async createJob(request: CreateJobRequest): Promise<Job> {
    return this.jobs.createJob(request);
  }

  async updateJob(request: UpdateJobRequest): Promise<Job> {
    return this.jobs.updateJob(request);
  }

  async deleteJob(request: { name: string }): Promise<void> {
    return this.jobs.deleteJob(request);
  }

  async pauseJob(request: { name: string }): Promise<Job> {
    return this.jobs.pauseJob(request);
  }

  async resumeJob(request: { name: string }): Promise<Job> {
    return this.jobs.resumeJob(request);
  }

  async runJob(request: { name: string }): Promise<Job> {
    return this.jobs.runJob(request);
  }
}

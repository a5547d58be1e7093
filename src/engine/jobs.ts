/** The jobs that are live: each with its runner, changed one after the other. */
import type {
  CloudSchedulerApi,
  CreateJobRequest,
  Job,
  ListJobsAnswer,
  ListJobsRequest,
  UpdateJobRequest,
} from './cloud-scheduler-api.js';
import { refusal } from './error-catalogue.js';
import type { JobRules } from './job.js';
import { newJob, shownJob, updatedJob } from './job.js';
import type { JobRunnerPorts } from './job-runner.js';
import { JobRunner } from './job-runner.js';
import { pageSize, readPageToken, writePageToken } from './page.js';
import type { Cron, JobConfig, StoredJob, Ticks } from './ports.js';
import { checkLocationName, parseJobName } from './resource-name.js';

export interface JobsPorts extends JobRunnerPorts {
  readonly cron: Cron;
}

const PAGE = 500;

/** What it answers is a copy: a caller may do with it as it likes. */
export class Jobs implements CloudSchedulerApi {
  private readonly live = new Map<string, JobRunner>();
  private dispatching = false;
  /** The last change that was asked for: the next one waits for it, and sees what it left. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly ports: JobsPorts) {
    for (const stored of ports.store.jobs()) this.goLive(stored, this.readable(stored.job));
  }

  dispatch(): void {
    this.dispatching = true;
    for (const runner of this.live.values()) runner.start();
  }

  /** Begins nothing, until `dispatch` is called again; what is in flight goes on. */
  hold(): void {
    this.dispatching = false;
    for (const runner of this.live.values()) runner.stop();
  }

  async settled(): Promise<void> {
    await Promise.all([...this.live.values()].map((runner) => runner.drained()));
  }

  get attemptsInFlight(): number {
    return [...this.live.values()].reduce((sum, runner) => sum + runner.attemptsInFlight, 0);
  }

  abandon(): void {
    this.dispatching = false;
    for (const runner of this.live.values()) runner.abandon();
  }

  names(): Iterable<string> {
    return this.live.keys();
  }

  async reset(): Promise<void> {
    return this.inTurn(async () => {
      const before = [...this.live];
      this.live.clear();
      for (const [name, runner] of before) {
        runner.abandon();
        await this.ports.store.deleteJob(name);
      }
    });
  }

  async listJobs(request: ListJobsRequest): Promise<ListJobsAnswer> {
    const { parent } = request;
    checkLocationName(parent, 'parent');
    const now = this.ports.clock.now();
    const size = pageSize(request, PAGE);
    const after = readPageToken(request, 'string', parent, now) ?? '';
    const names = [...this.live.keys()]
      .filter((name) => name.startsWith(`${parent}/jobs/`) && name > after)
      .sort();
    const page = names.slice(0, size);
    const last = page.at(-1);
    return {
      jobs: page.map((name) => shownJob(this.found(name).stored)),
      ...(last && names.length > size ? { nextPageToken: writePageToken(last, parent, now) } : {}),
    };
  }

  async getJob({ name }: { name: string }): Promise<Job> {
    return shownJob(this.found(name).stored);
  }

  async createJob({ parent, job: input }: CreateJobRequest): Promise<Job> {
    checkLocationName(parent, 'parent');
    const { location } = parseJobName(input.name, 'job.name');
    if (location !== parent) {
      throw refusal('JOB_OTHER_LOCATION', { parent, job: input.name, field: 'job.name' });
    }
    const job = newJob(input, this.rules());
    return this.inTurn(async () => {
      if (this.live.has(job.name)) {
        throw refusal('JOB_EXISTS', { job: job.name, field: 'job.name' });
      }
      const ticks = this.ticksOf(job);
      const nextTick = ticks.next(this.ports.clock.now());
      const state = { executions: 0, ...(nextTick === undefined ? {} : { nextTick }) };
      await this.ports.store.putJob({ job, state });
      return shownJob(this.goLive({ job, state }, ticks).stored);
    });
  }

  async updateJob(request: UpdateJobRequest): Promise<Job> {
    const { name } = request.job;
    return this.inTurn(async () => {
      const runner = this.found(name, 'job.name');
      return this.change(runner, updatedJob(runner.stored.job, request, this.rules()));
    });
  }

  async deleteJob({ name }: { name: string }): Promise<void> {
    return this.inTurn(async () => {
      const runner = this.found(name);
      await this.ports.store.deleteJob(name);
      runner.end();
      this.live.delete(name);
    });
  }

  async pauseJob({ name }: { name: string }): Promise<Job> {
    return this.inTurn(async () => {
      const runner = this.found(name);
      const { job } = runner.stored;
      if (job.state !== 'ENABLED') throw refusal('JOB_NOT_ENABLED', { field: 'name' });
      return this.change(runner, { ...job, state: 'PAUSED' });
    });
  }

  async resumeJob({ name }: { name: string }): Promise<Job> {
    return this.inTurn(async () => {
      const runner = this.found(name);
      const { job } = runner.stored;
      if (job.state !== 'PAUSED') throw refusal('JOB_NOT_PAUSED', { field: 'name' });
      return this.change(runner, { ...job, state: 'ENABLED' });
    });
  }

  async runJob({ name }: { name: string }): Promise<Job> {
    const runner = this.found(name);
    await runner.run();
    return shownJob(runner.stored);
  }

  private async change(runner: JobRunner, job: JobConfig): Promise<Job> {
    const { job: before } = runner.stored;
    const changed = runner.change(job, this.ticksOf(job));
    try {
      await this.ports.store.putJob(changed);
    } catch (error) {
      runner.change(before, this.ticksOf(before));
      throw error;
    }
    return shownJob(changed);
  }

  private found(name: string, field = 'name'): JobRunner {
    parseJobName(name, field);
    const runner = this.live.get(name);
    if (runner) return runner;
    throw refusal('NO_JOB', { field });
  }

  private goLive(stored: StoredJob, ticks: Ticks | undefined): JobRunner {
    const runner = new JobRunner(stored, ticks, this.ports);
    this.live.set(stored.job.name, runner);
    if (this.dispatching) runner.start();
    return runner;
  }

  private rules(): JobRules {
    const { cron, clock, trustsHttp } = this.ports;
    return { cron, trustsHttp, now: clock.now() };
  }

  private ticksOf({ schedule, timeZone }: JobConfig): Ticks {
    return this.ports.cron.parse(schedule, timeZone);
  }

  /** A machine may know fewer time zones than the one that the job was made on. */
  private readable(job: JobConfig): Ticks | undefined {
    try {
      return this.ticksOf(job);
    } catch (error) {
      this.ports.onEvent({ type: 'server-failure', error });
      return undefined;
    }
  }

  /** Runs once every change that was asked for before is done. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => undefined);
    return result;
  }
}

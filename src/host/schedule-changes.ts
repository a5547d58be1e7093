/** Compares jobs as they are with schedules as they are wanted, and makes them so. */
import { Calendar } from '../adapters/cron-calendar.js';
import type { CloudSchedulerApi, Job, JobInput } from '../engine/cloud-scheduler-api.js';
import { newJob } from '../engine/job.js';
import { shortId } from '../engine/resource-name.js';
import { SECOND } from '../engine/time.js';
import type { WantedSchedule } from '../foundation/schedule-plan.js';
import type { TickTarget } from './schedule-jobs.js';
import { isMarked, jobOf, tickAddress } from './schedule-jobs.js';

export interface ScheduleChange {
  /** The job's id, which is the schedule's name. */
  readonly name: string;
  /** `foreign`: somebody else's job has the name, and stays as it is. */
  readonly kind: 'create' | 'update' | 'delete' | 'unchanged' | 'foreign';
  /** `schedule '0 3 * * *' -> '0 4 * * *'` */
  readonly differences: readonly string[];
  /** Absent where the job is to be deleted. */
  readonly wanted?: WantedSchedule;
  /** Ticks wait until somebody resumes it. */
  readonly isPaused: boolean;
}

export interface SchedulesPlan {
  /** Full name: `projects/local/locations/us-central1` */
  readonly location: string;
  readonly schedules: readonly WantedSchedule[];
  readonly target: TickTarget;
  /** Whether every job of ours there is this app's: its engine is nobody else's. */
  readonly ownsLocation: boolean;
}

/** What a plan governs; a pause is somebody's decision, and stays. */
const GOVERNED = [
  'description',
  'schedule',
  'timeZone',
  'httpTarget',
  'retryConfig',
  'attemptDeadline',
] as const satisfies readonly (keyof JobInput)[];

/** @returns a change for each schedule, then one for each job of ours that none wants any more */
export async function scheduleChanges(
  api: CloudSchedulerApi,
  plan: SchedulesPlan,
): Promise<ScheduleChange[]> {
  const { location, schedules, target, ownsLocation } = plan;
  const jobs = new Map((await allJobs(api, location)).map((job) => [job.name, job]));
  const wanted = schedules.map((schedule): ScheduleChange => {
    const input = jobOf(schedule, location, target);
    const job = jobs.get(input.name);
    jobs.delete(input.name);
    const change = { name: schedule.name, wanted: schedule, isPaused: job?.state === 'PAUSED' };
    if (!job) return { ...change, kind: 'create', differences: [] };
    if (!isMarked(job)) return { ...change, kind: 'foreign', differences: [] };
    const differences = differencesOf(job, complete(input));
    return { ...change, kind: differences.length > 0 ? 'update' : 'unchanged', differences };
  });
  const gone = [...jobs.values()].filter(
    (job) =>
      isMarked(job) &&
      (ownsLocation || job.httpTarget?.uri.startsWith(tickAddress(target.serviceUrl))),
  );
  return [
    ...wanted,
    ...gone.map(({ name, state }) => ({
      name: shortId(name),
      kind: 'delete' as const,
      differences: [],
      isPaused: state === 'PAUSED',
    })),
  ];
}

/** @throws CloudTasksError what the API answers: nothing is swallowed */
export async function applyScheduleChange(
  api: CloudSchedulerApi,
  { location, target }: SchedulesPlan,
  { kind, name, wanted }: ScheduleChange,
): Promise<void> {
  if (kind === 'delete') await api.deleteJob({ name: `${location}/jobs/${name}` });
  if (!wanted) return;
  const job = jobOf(wanted, location, target);
  if (kind === 'create') await api.createJob({ parent: location, job });
  if (kind === 'update') await api.updateJob({ job, updateMask: [...GOVERNED] });
}

async function allJobs(api: CloudSchedulerApi, parent: string): Promise<Job[]> {
  const jobs: Job[] = [];
  let pageToken: string | undefined;
  do {
    const page = await api.listJobs({ parent, ...(pageToken ? { pageToken } : {}) });
    jobs.push(...page.jobs);
    pageToken = page.nextPageToken;
  } while (pageToken);
  return jobs;
}

/** With every default filled in, as the service would answer it. */
function complete(input: JobInput): Partial<Job> {
  return newJob(input, { cron: new Calendar(), now: 0, trustsHttp: () => true });
}

function differencesOf(job: Job, wanted: Partial<Job>): string[] {
  return GOVERNED.flatMap((field) => {
    const before = leaves(job[field], field);
    const after = leaves(wanted[field], field);
    return (
      [...new Set([...before.keys(), ...after.keys()])]
        // The service sets that one itself, and need not show it.
        .filter((path) => !path.endsWith('.User-Agent'))
        .filter((path) => before.get(path) !== after.get(path))
        .map((path) => `${path} ${before.get(path) ?? 'none'} -> ${after.get(path) ?? 'none'}`)
    );
  });
}

/** Each value by its path, as text; what a map has at Google and we leave out is none. */
function leaves(value: unknown, path: string): Map<string, string> {
  if (value === undefined) return new Map();
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    return new Map(
      Object.entries(value).flatMap(([name, inner]) => [...leaves(inner, `${path}.${name}`)]),
    );
  }
  if (ArrayBuffer.isView(value)) return new Map([[path, `${value.byteLength} bytes`]]);
  const isDuration = typeof value === 'number' && /(Duration|Deadline)$/.test(path);
  const shown = isDuration
    ? `${value / SECOND}s`
    : typeof value === 'string'
      ? `'${value}'`
      : JSON.stringify(value);
  return new Map([[path, shown]]);
}

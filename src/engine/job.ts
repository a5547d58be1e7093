/** A job: its defaults, its ranges, and what an update with a mask makes of it. */
import type { Job, JobInput, JobRetryConfig, UpdateJobRequest } from './cloud-scheduler-api.js';
import { refusal } from './error-catalogue.js';
import { fields, masked } from './field-mask.js';
import { jobTarget } from './job-target.js';
import type { Cron, JobConfig, StoredJob } from './ports.js';
import { parseJobName } from './resource-name.js';
import type { TargetRules } from './task-target.js';
import type { Duration, Instant } from './time.js';
import { HOUR, MINUTE, SECOND } from './time.js';

const MOST_DESCRIPTION = 500;
/** Together with everything else that its owner says. */
const MOST_BYTES = 1024 * 1024;
const DEFAULT_DEADLINE: Duration = 3 * MINUTE;
const MOST_RETRIES = 5;

export interface JobRules extends TargetRules {
  readonly cron: Cron;
  readonly now: Instant;
}

/** A new job, enabled. Zeros count as absent, as in production. */
export function newJob(input: JobInput, rules: JobRules): JobConfig {
  return { ...settings(input, rules), name: input.name, state: 'ENABLED' };
}

/**
 * The job after an update: without a mask every field is replaced; with one, the paths it names,
 * and nothing else of what the input has.
 */
export function updatedJob(
  job: JobConfig,
  { job: input, updateMask: mask = [] }: UpdateJobRequest,
  rules: JobRules,
): JobConfig {
  const next = mask.length === 0 ? input : maskedJob(job, input, mask);
  const { name, state } = job;
  return { ...settings({ ...next, name }, rules), name, state };
}

/** The job as the API shows it. */
export function shownJob({ job, state }: StoredJob): Job {
  const { execution, nextTick, lastAttemptTime, status } = state;
  const scheduleTime = execution?.attemptTime ?? nextTick;
  return {
    ...structuredClone(job),
    ...(scheduleTime === undefined ? {} : { scheduleTime }),
    ...(lastAttemptTime === undefined ? {} : { lastAttemptTime }),
    ...(status === undefined ? {} : { status }),
  };
}

/** How long one of its attempts may take. */
export function attemptDeadline(job: JobConfig): Duration {
  return job.attemptDeadline ?? 10 * MINUTE;
}

const TOKEN = { oidcToken: fields('serviceAccountEmail', 'audience') };
/** Output-only fields may stand in a mask; they are ignored there as in the body. */
const MASK_FIELDS = {
  ...fields('name', 'description', 'schedule', 'timeZone', 'attemptDeadline'),
  ...fields('state', 'status', 'userUpdateTime', 'scheduleTime', 'lastAttemptTime'),
  httpTarget: {
    ...fields('uri', 'httpMethod', 'headers', 'body'),
    ...TOKEN,
    oauthToken: fields('serviceAccountEmail', 'scope'),
  },
  appEngineHttpTarget: {
    ...fields('httpMethod', 'relativeUri', 'headers', 'body'),
    appEngineRouting: fields('service', 'version', 'instance', 'host'),
  },
  pubsubTarget: fields('topicName', 'data', 'attributes'),
  retryConfig: fields(
    'retryCount',
    'maxRetryDuration',
    'minBackoffDuration',
    'maxBackoffDuration',
    'maxDoublings',
  ),
};
const TARGETS = ['httpTarget', 'appEngineHttpTarget', 'pubsubTarget'] as const;
const TOKENS = ['oidcToken', 'oauthToken'] as const;

function maskedJob(job: JobConfig, input: JobInput, mask: readonly string[]): JobInput {
  const next = masked(job, input, mask, {
    known: MASK_FIELDS,
    refuse: (path) => refusal('JOB_MASK', { path, field: 'updateMask' }),
  });
  // Of a `oneof` the one that is set takes the place of the other.
  oneOf(next, TARGETS, (name) => mask.some((path) => path.split('.', 1)[0] === name));
  const target = next.get('httpTarget');
  if (typeof target === 'object' && target !== null) {
    const within = new Map<string, unknown>(Object.entries(target));
    oneOf(within, TOKENS, (name) => mask.some((path) => path.startsWith(`httpTarget.${name}`)));
    next.set('httpTarget', Object.fromEntries(within));
  }
  return { ...(Object.fromEntries(next) as Partial<JobInput>), name: job.name };
}

function oneOf(
  message: Map<string, unknown>,
  names: readonly string[],
  isMasked: (name: string) => boolean,
): void {
  const set = names.find((name) => isMasked(name) && message.get(name) !== undefined);
  if (set === undefined) return;
  for (const name of names) if (name !== set && !isMasked(name)) message.delete(name);
}

type Settings = Omit<JobConfig, 'name' | 'state'>;

function settings(input: JobInput, rules: JobRules): Settings {
  const { project } = parseJobName(input.name, 'job.name');
  const { description = '', schedule = '', timeZone = 'Etc/UTC' } = input;
  if (description.length > MOST_DESCRIPTION) {
    throw refusal('JOB_DESCRIPTION', { length: description.length, field: 'job.description' });
  }
  // Only for what it throws.
  rules.cron.parse(schedule, timeZone);
  const target = jobTarget(input, project, rules);
  const job: Settings = {
    ...(description ? { description } : {}),
    ...target,
    schedule,
    timeZone,
    userUpdateTime: rules.now,
    retryConfig: retryConfig(input.retryConfig ?? {}),
    ...deadline(input.attemptDeadline, 'httpTarget' in target),
  };
  const size = sizeOf(job);
  if (size > MOST_BYTES) throw refusal('JOB_SIZE', { most: MOST_BYTES, size, field: 'job' });
  return job;
}

function retryConfig(input: Partial<JobRetryConfig>): JobRetryConfig {
  const check = (setting: keyof JobRetryConfig, most: number, expected: string): number => {
    const got = input[setting] ?? 0;
    if (Number.isInteger(got) && got >= 0 && got <= most) return got;
    throw refusal('JOB_RETRY', { setting, expected, got, field: `job.retryConfig.${setting}` });
  };
  const duration = (setting: keyof JobRetryConfig) =>
    check(setting, Infinity, 'a duration of 0 s or longer');
  const config = {
    retryCount: check('retryCount', MOST_RETRIES, `a whole number from 0 to ${MOST_RETRIES}`),
    maxRetryDuration: duration('maxRetryDuration'),
    minBackoffDuration: duration('minBackoffDuration') || 5 * SECOND,
    maxBackoffDuration: duration('maxBackoffDuration') || HOUR,
    maxDoublings: check('maxDoublings', 2 ** 31 - 1, 'a whole number of 0 or more') || 5,
  };
  if (config.minBackoffDuration > config.maxBackoffDuration) {
    const setting = 'minBackoffDuration';
    const expected = 'at most maxBackoffDuration';
    const got = `${config.minBackoffDuration / SECOND}s`;
    throw refusal('JOB_RETRY', { setting, expected, got, field: `job.retryConfig.${setting}` });
  }
  return config;
}

function deadline(given: Duration | undefined, isHttp: boolean): Pick<Job, 'attemptDeadline'> {
  const attemptDeadline = given || (isHttp ? DEFAULT_DEADLINE : undefined);
  if (attemptDeadline === undefined) return {};
  const most = isHttp ? 30 * MINUTE : 24 * HOUR + 15 * SECOND;
  if (!(attemptDeadline >= 15 * SECOND && attemptDeadline <= most)) {
    const range = isHttp ? '[15s, 30m]' : '[15s, 24h15s]';
    throw refusal('JOB_DEADLINE', { range, field: 'job.attemptDeadline' });
  }
  return { attemptDeadline };
}

function sizeOf({ httpTarget, appEngineHttpTarget, ...rest }: Settings): number {
  const { body, ...target } = httpTarget ?? appEngineHttpTarget ?? {};
  const text = JSON.stringify([rest, target]);
  return new TextEncoder().encode(text).length + (body?.length ?? 0);
}

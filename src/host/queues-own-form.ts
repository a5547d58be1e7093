/** Our own form of a queues file: queues by id, their settings by the API's JSON names. */
import { Calendar } from '../adapters/cron-calendar.js';
import type { QueueInput } from '../engine/cloud-tasks-api.js';
import { DAY, HOUR } from '../engine/time.js';
import { readSchedules } from '../foundation/schedule-form.js';
import { readHttpTarget } from './queues-http-target.js';
import type { PlannedQueue, QueuesPlan } from './queues-plan.js';
import { QUEUE_ID, QUEUE_ID_EXPECTED } from './queues-plan.js';
import { checkServices } from './services-form.js';
import type { YamlPlace } from '../foundation/yaml-place.js';

const SERVICE = /^[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/;
const MOST_INT32 = 2 ** 31 - 1;

/**
 * What Cloud Tasks reads zeros as is its default, and nobody who writes a zero means that: they
 * are refused, but where the default is zero.
 */
const READERS = {
  maxDispatchesPerSecond: (place: YamlPlace) =>
    place.number(
      (value) => value > 0 && value <= 500,
      "a number above 0, at most 500 (a queue is stopped by 'state: PAUSED')",
    ),
  maxBurstSize: (place: YamlPlace) => place.number(whole(1, 500), 'a whole number from 1 to 500'),
  maxConcurrentDispatches: (place: YamlPlace) =>
    place.number(whole(1, 5000), 'a whole number from 1 to 5000'),
  maxAttempts: (place: YamlPlace) =>
    place.number(
      (value) => value === -1 || whole(1, MOST_INT32)(value),
      'a whole number of at least 1, or -1 for no limit',
    ),
  maxRetryDuration: (place: YamlPlace) =>
    place.duration(
      (value) => value >= 0 && value % 1_000_000 === 0,
      "whole seconds such as '1h', or '0s' for no limit",
    ),
  minBackoff: backoff,
  maxBackoff: backoff,
  maxDoublings: (place: YamlPlace) =>
    place.number(whole(1, MOST_INT32), 'a whole number of at least 1'),
};
type Setting = keyof typeof READERS;

const RATE_LIMITS = ['maxDispatchesPerSecond', 'maxBurstSize', 'maxConcurrentDispatches'] as const;
const RETRY_CONFIG = [
  'maxAttempts',
  'maxRetryDuration',
  'minBackoff',
  'maxBackoff',
  'maxDoublings',
] as const;
/** Plain under the queue, as nobody could mistake them; or in the API's groups, as it shows them. */
export const SETTINGS: readonly Setting[] = [...RATE_LIMITS, ...RETRY_CONFIG];
const GROUPS = [
  'rateLimits',
  'retryConfig',
  'appEngineRoutingOverride',
  'httpTarget',
  'stackdriverLoggingConfig',
] as const;

/**
 * @param root a map with `queues` or `schedules`, in a file or in options; `services` beside them
 *   is Terraform's
 */
export function readOwnForm(root: YamlPlace): QueuesPlan<PlannedQueue> {
  const fields = root.fields(['queues', 'services', 'schedules']);
  const schedules = fields.get('schedules');
  const queues = fields.get('queues') ?? (schedules ? undefined : root.refuse('queues:'));
  const services = fields.get('services');
  if (services) checkServices(services);
  return {
    queues: queues?.isNothing === false ? queues.entries().map(readEntry) : [],
    notApplied: [],
    ...schedulesOf(schedules),
  };
}

/** Beside queues in any form but App Engine's own. */
export function schedulesOf(place: YamlPlace | undefined): Pick<QueuesPlan, 'schedules'> {
  return place ? { schedules: readSchedules(place, checkTicks) } : {};
}

/** @throws CloudTasksError of the field `schedule` or `timeZone` */
export function checkTicks(schedule: string, timeZone: string): void {
  new Calendar().parse(schedule, timeZone);
}

function readEntry([id, place]: readonly [id: string, place: YamlPlace]): PlannedQueue {
  return readQueue(id, place);
}

function readQueue(id: string, place: YamlPlace): PlannedQueue {
  if (!QUEUE_ID.test(id)) throw place.error(`expected ${QUEUE_ID_EXPECTED} as its name`);
  // `email-queue:` alone is a queue with every default.
  if (place.isNothing) return { id, settings: withoutEnd({}), place };
  const fields = place.fields([...SETTINGS, ...GROUPS, 'taskTtl', 'tombstoneTtl', 'state']);
  const settings = new Map<string, YamlPlace>();
  const add = (name: string, at: YamlPlace) => {
    const first = settings.get(name);
    if (first) throw at.error(`${name} is there twice, first in ${first.where}`);
    settings.set(name, at);
  };
  for (const [name, at] of fields) if (isSetting(name)) add(name, at);
  for (const [name, at] of fields.get('rateLimits')?.fields(RATE_LIMITS) ?? []) add(name, at);
  for (const [name, at] of fields.get('retryConfig')?.fields(RETRY_CONFIG) ?? []) add(name, at);
  const state = fields.get('state')?.oneOf(['RUNNING', 'PAUSED'] as const);
  return {
    id,
    settings: {
      ...withoutEnd(readSettings(settings)),
      ...routing(fields),
      ...ttls(fields),
      ...logging(fields),
    },
    ...(state === undefined ? {} : { state }),
    place,
  };
}

/** The settings by the API's names, each read and put into the API's group. */
export function readSettings(
  fields: ReadonlyMap<string, YamlPlace>,
): Pick<QueueInput, 'rateLimits' | 'retryConfig'> {
  const read = (names: readonly Setting[]) =>
    Object.fromEntries(
      names.flatMap((name) => {
        const place = fields.get(name);
        return place ? [[name, READERS[name](place)]] : [];
      }),
    );
  return { rateLimits: read(RATE_LIMITS), retryConfig: read(RETRY_CONFIG) };
}

/**
 * Where nothing is said of attempts: Cloud Tasks' own default drops a task after the hundredth,
 * where a handler's `maxAttempts` parks it as a dead letter.
 */
export function withoutEnd(settings: Pick<QueueInput, 'rateLimits' | 'retryConfig'>) {
  return { ...settings, retryConfig: { maxAttempts: -1, ...settings.retryConfig } };
}

function isSetting(name: string): name is Setting {
  return (SETTINGS as readonly string[]).includes(name);
}

function routing(fields: ReadonlyMap<string, YamlPlace>): Partial<QueueInput> {
  const target = fields.get('httpTarget');
  const httpTarget = target ? { httpTarget: readHttpTarget(target) } : {};
  const parts = fields.get('appEngineRoutingOverride')?.fields(['service', 'version', 'instance']);
  if (!parts) return httpTarget;
  const read = [...parts].map(([name, place]) => [
    name,
    place.text(SERVICE, 'a name of small letters, digits and hyphens'),
  ]);
  const appEngineRoutingOverride = Object.fromEntries(read) as Record<string, string>;
  return { ...httpTarget, appEngineRoutingOverride };
}

function ttls(fields: ReadonlyMap<string, YamlPlace>): Partial<QueueInput> {
  const task = fields
    .get('taskTtl')
    ?.duration((value) => value >= 10 * DAY && value <= 3650 * DAY, "from '10d' to '3650d'");
  const tombstone = fields
    .get('tombstoneTtl')
    ?.duration((value) => value >= HOUR && value <= 9 * DAY, "from '1h' to '9d'");
  return {
    ...(task === undefined ? {} : { taskTtl: task }),
    ...(tombstone === undefined ? {} : { tombstoneTtl: tombstone }),
  };
}

function logging(fields: ReadonlyMap<string, YamlPlace>): Partial<QueueInput> {
  const ratio = fields.get('stackdriverLoggingConfig')?.fields(['samplingRatio']);
  const place = ratio?.get('samplingRatio');
  if (!place) return {};
  const samplingRatio = place.number((value) => value >= 0 && value <= 1, 'a number from 0 to 1');
  return { stackdriverLoggingConfig: { samplingRatio } };
}

function backoff(place: YamlPlace): number {
  return place.duration((value) => value > 0, "a duration above zero, such as '500ms' or '10s'");
}

function whole(least: number, most: number): (value: number) => boolean {
  return (value) => Number.isInteger(value) && value >= least && value <= most;
}

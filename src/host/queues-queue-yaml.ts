/** App Engine's `queue.yaml`, read as `gcloud app deploy` reads it and sends it to Cloud Tasks. */
import type { QueueInput, RetryConfig } from '../engine/cloud-tasks-api.js';
import type { Duration } from '../engine/time.js';
import { DAY, HOUR, MILLISECOND, MINUTE, SECOND } from '../engine/time.js';
import type { PlannedQueue, QueuesPlan } from './queues-plan.js';
import { QUEUE_ID, QUEUE_ID_EXPECTED } from './queues-plan.js';
import type { YamlPlace } from '../foundation/yaml-place.js';

/** What gcloud sends where the file says nothing; other defaults than the API's own. */
const DEFAULTS: RetryConfig = {
  maxAttempts: -1,
  maxRetryDuration: 0,
  minBackoff: 100 * MILLISECOND,
  maxBackoff: HOUR,
  maxDoublings: 16,
};
const DEFAULT_BURST = 5;
const MOST_CONCURRENT = 5000;
/** As close to what App Engine's own queues had as the API lets them be. */
const AT_CREATION = { taskTtl: 3650 * DAY, tombstoneTtl: 9 * DAY };

const PER: Readonly<Record<string, Duration>> = { s: SECOND, m: MINUTE, h: HOUR, d: DAY };

export function readQueueYaml(root: YamlPlace): QueuesPlan<PlannedQueue> {
  const top = root.fields(['queue', 'application', 'resume_paused_queues', 'total_storage_limit']);
  // What paused a queue was most likely `rate: 0` in this file, so another rate lets it run again.
  const resumes = top.get('resume_paused_queues')?.oneOf([true, false]) ?? true;
  const list = top.get('queue');
  const notApplied = [top.get('application'), top.get('total_storage_limit')].flatMap(noted);
  const queues = !list || list.isNothing ? [] : list.items();
  return { queues: queues.map((place) => readQueue(place, resumes, notApplied)), notApplied };
}

function readQueue(place: YamlPlace, resumes: boolean, notApplied: string[]): PlannedQueue {
  const fields = place.fields([
    ...['name', 'rate', 'mode', 'bucket_size', 'max_concurrent_requests', 'retry_parameters'],
    ...['target', 'acl'],
  ]);
  const id = (fields.get('name') ?? place.refuse('a queue with a name')).text(
    QUEUE_ID,
    QUEUE_ID_EXPECTED,
  );
  const mode = fields.get('mode');
  if (mode?.oneOf(['push', 'pull'] as const) === 'pull') {
    throw mode.error('expected push: pull queues are not served');
  }
  const rate = readRate(fields.get('rate') ?? place.refuse("a queue with a rate such as '5/s'"));
  const burst = fields
    .get('bucket_size')
    ?.number((size) => isCount(size) && size <= 500, 'a whole number up to 500');
  notApplied.push(...noted(fields.get('acl')));
  const concurrent = fields.get('max_concurrent_requests')?.number(isCount, 'a whole number');
  const target = fields.get('target');
  return {
    id,
    settings: {
      rateLimits: {
        ...(rate === 0 ? {} : { maxDispatchesPerSecond: rate }),
        maxBurstSize: burst || DEFAULT_BURST,
        // gcloud cuts what is above the limit down to it.
        ...(concurrent ? { maxConcurrentDispatches: Math.min(concurrent, MOST_CONCURRENT) } : {}),
      },
      retryConfig: retryConfig(fields.get('retry_parameters')),
      ...(target ? { appEngineRoutingOverride: routing(target) } : {}),
    },
    atCreation: AT_CREATION,
    ...(rate === 0 ? { state: 'PAUSED' } : resumes ? { state: 'RUNNING' } : {}),
    place,
  };
}

/** Tasks a second; 0 pauses the queue. */
function readRate(place: YamlPlace): number {
  const expected = "a rate such as '5/s', '30/m', '100/h' or '1/d', at most 500/s, or 0";
  const text = place.text(/^(?:0|\d{1,9}(?:\.\d{0,9})?\/[smhd])$/, expected);
  const [count = '', unit = 's'] = text.split('/');
  const rate = Math.round((Number(count) / ((PER[unit] ?? SECOND) / SECOND)) * 1e9) / 1e9;
  return rate <= 500 ? rate : place.refuse(expected);
}

function retryConfig(parameters: YamlPlace | undefined): RetryConfig {
  if (!parameters || parameters.isNothing) return DEFAULTS;
  const fields = parameters.fields([
    ...['task_retry_limit', 'task_age_limit', 'min_backoff_seconds', 'max_backoff_seconds'],
    'max_doublings',
  ]);
  const limit = fields.get('task_retry_limit')?.number(isCount, 'a whole number of retries');
  const age = fields.get('task_age_limit');
  const min = seconds(fields.get('min_backoff_seconds'));
  const max = seconds(fields.get('max_backoff_seconds'));
  const doublings = fields.get('max_doublings')?.number(isCount, 'a whole number');
  return {
    ...DEFAULTS,
    // The first attempt is no retry, but it is an attempt.
    ...(limit === undefined ? {} : { maxAttempts: limit + 1 }),
    ...(age ? { maxRetryDuration: ageLimit(age) } : {}),
    // Of two backoffs, one that isn't given keeps out of the way of the other.
    minBackoff: min ?? Math.min(DEFAULTS.minBackoff, max ?? Infinity),
    maxBackoff: max ?? Math.max(DEFAULTS.maxBackoff, min ?? 0),
    // As all zeros, it counts as not given.
    ...(doublings ? { maxDoublings: doublings } : {}),
  };
}

function seconds(place: YamlPlace | undefined): Duration | undefined {
  const value = place?.number((given) => given >= 0 && given <= 1e9, 'a number of seconds');
  return value ? Math.round(value * SECOND) : undefined;
}

/** Cut to whole seconds. */
function ageLimit(place: YamlPlace): Duration {
  const expected = "an age above zero such as '30s', '10m', '1h' or '2.5d'";
  const text = place.text(/^\d{1,9}(?:\.\d{0,9})?[smhd]$/, expected);
  const age = Math.trunc((parseFloat(text) * (PER[text.slice(-1)] ?? NaN)) / SECOND) * SECOND;
  return age > 0 ? age : place.refuse(expected);
}

/** `service`, or `version.service`. */
function routing(place: YamlPlace): NonNullable<QueueInput['appEngineRoutingOverride']> {
  const text = place.text(
    /^(?:(?!-)[a-z\d-]{1,100}\.)?(?!-)[a-z\d-]{1,63}$/,
    "a target such as 'service' or 'version.service'",
  );
  const [service = '', version] = text.split('.').reverse();
  return { service, ...(version === undefined ? {} : { version }) };
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 31 - 1;
}

function noted(place: YamlPlace | undefined): string[] {
  return place ? [`${place.path} (${place.where})`] : [];
}

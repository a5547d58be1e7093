/** What whoever mounts the relay decides. */
import type { DurationText } from '../../foundation/duration.js';
import { parseDuration } from '../../foundation/duration.js';
import { invalidArgument } from '../../engine/errors.js';
import type { Duration } from '../../engine/time.js';
import { DAY, SECOND } from '../../engine/time.js';
import type { OutboundRule } from '../../outbound/outbound-rule.js';
import type { LoopbackCalls } from '../../outbound/outbound-rule.js';
import { platformOf } from '../../foundation/platform.js';
import { readQueueId } from '../tasks/task-options.js';
import { refuseUnknown, shown } from '../tasks/unknown-option.js';
import type { RelayCredentials } from './id-tokens.js';
import { requestLimit } from './relay-budget.js';

export interface RelayModuleOptions {
  /** Which origins may be called, and how. Default: those of `OutboundModule`, mounted beside. */
  readonly rules?: readonly OutboundRule[] | undefined;
  /** Whether targets may be on this machine: `refused`, `by-rule` or `any`. Default `refused`. */
  readonly loopback?: LoopbackCalls | undefined;
  /**
   * Ids of queues whose tasks are handled where a call may take 24 hours: on App Engine, by a service
   * with basic or manual scaling. Calls that name no queue go to the first. Default: none, so that
   * on App Engine a call may take 10 minutes, and that of `TasksModule` is the queue.
   */
  readonly queues?: readonly string[] | undefined;
  /** Calls that one process has open at once, 1 to 10000; 1800 at most on App Engine. Default 500. */
  readonly maxInflight?: number | undefined;
  /** Whose ID tokens calls carry where their rule names nobody. Default: the credentials' own. */
  readonly serviceAccount?: string | undefined;
  /** What ID tokens are minted with. Default: the embedded engine's keys, or Google's default. */
  readonly credentials?: RelayCredentials | undefined;
  /** `whsec_…`: callbacks are signed with each of them, the current one first. Absent, no callbacks. */
  readonly callbackSecrets?: readonly string[] | undefined;
  /**
   * How long the outcome of a call is kept, `1m` to `365d`; one with an `idempotencyKey` 31 days at
   * least. Default `7d`.
   */
  readonly keep?: DurationText | undefined;
  /** How much of an answer's body is kept, 0 to 1048576 bytes. Default 262144. */
  readonly recordBytes?: number | undefined;
  /** After how long another instance takes over from one that crashed, `1s` to `1h`. Default `60s`. */
  readonly lease?: DurationText | undefined;
  /** Base address in callbacks of the record of a call. Default: the app's own. */
  readonly publicUrl?: string | undefined;
  /** On Cloud Run: its CPU is always allocated, so a call may go on when nobody waits for it. */
  readonly cpuAlwaysAllocated?: boolean | undefined;
}

const KNOWN = [
  'rules',
  'loopback',
  'queues',
  'maxInflight',
  'serviceAccount',
  'credentials',
  'callbackSecrets',
  'keep',
  'recordBytes',
  'lease',
  'publicUrl',
  'cpuAlwaysAllocated',
];

const DEFAULT_INFLIGHT = 500;
/** A call takes two of the 4,096 connections that App Engine's proxy has. */
const MOST_ON_APP_ENGINE = 1800;
const MOST_INFLIGHT = 10_000;
const MOST_RECORDED = 1024 * 1024;

/** The options, checked, in our units. */
export class RelaySettings {
  readonly queues: readonly string[];
  /** How long the platform lets a request take that isn't of one of those queues. */
  readonly requestLimit: Duration;
  readonly maxInflight: number;
  readonly serviceAccount: string | undefined;
  readonly credentials: RelayCredentials | undefined;
  readonly callbackSecrets: readonly string[];
  readonly keep: Duration;
  readonly recordBytes: number;
  readonly lease: Duration;
  readonly publicUrl: string | undefined;
  /** Whether work may go on when the request that it is for has ended. */
  readonly mayFinish: boolean;

  /** @throws CloudTasksError INVALID_ARGUMENT naming the option */
  constructor(options: RelayModuleOptions, platform = platformOf()) {
    refuseUnknown(options, KNOWN, 'RelayModule');
    const { keep = '7d', lease = '60s', callbackSecrets = [] } = options;
    const onAppEngine = platform?.startsWith('app-engine') ?? false;
    const most = onAppEngine ? MOST_ON_APP_ENGINE : MOST_INFLIGHT;
    this.maxInflight = whole('maxInflight', options.maxInflight ?? DEFAULT_INFLIGHT, 1, most);
    this.queues = (options.queues ?? []).map(readQueueId);
    this.requestLimit = requestLimit(platform);
    this.recordBytes = whole('recordBytes', options.recordBytes ?? 256 * 1024, 0, MOST_RECORDED);
    this.keep = within('keep', keep, 60 * SECOND, 365 * DAY);
    this.lease = within('lease', lease, SECOND, 3600 * SECOND);
    this.serviceAccount = options.serviceAccount;
    this.credentials = options.credentials;
    this.callbackSecrets = callbackSecrets;
    this.publicUrl = options.publicUrl?.replace(/\/+$/, '');
    this.mayFinish = platform !== 'cloud-run' || options.cpuAlwaysAllocated === true;
  }
}

function whole(option: string, value: unknown, least: number, most: number): number {
  if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) {
    return Number(value);
  }
  const came = typeof value === 'number' ? String(value) : shown(value);
  throw invalidArgument(
    `RelayModule: ${option}: expected a whole number from ${least} to ${most}, got ${came}.`,
    option,
  );
}

function within(option: string, text: unknown, least: Duration, most: Duration): Duration {
  const duration = parseDuration(text, `RelayModule: ${option}`);
  if (duration >= least && duration <= most) return duration;
  throw invalidArgument(
    `RelayModule: ${option}: expected ${least / SECOND}s to ${most / SECOND}s, got ${shown(text)}.`,
    option,
  );
}

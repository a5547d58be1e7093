/** The relay as an app's own code uses it: enqueue a call, see what became of it, cancel it. */
import { Injectable } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import type { DurationText } from '../../foundation/duration.js';
import { CloudTasksError, invalidArgument } from '../../engine/errors.js';
import { shortId } from '../../engine/resource-name.js';
import type { Duration } from '../../engine/time.js';
import { MILLISECOND, SECOND } from '../../engine/time.js';
import { OutboundPolicy } from '../../outbound/outbound-policy.js';
import { QueueBackend } from '../cloud-tasks/queue-backend.js';
import { ExclusiveRuns } from '../journal/exclusive-runs.js';
import { STORE_MISSING } from '../journal/journal-options.js';
import { Fields } from '../producer/fields.js';
import type { EnqueuedAs } from '../tasks/calls/handler-tasks.js';
import { HandlerTasks } from '../tasks/calls/handler-tasks.js';
import { HandlerRoutes } from '../tasks/routes/handler-routes.js';
import { findHandler } from '../tasks/routes/named-handler.js';
import { MOST_APP_ENGINE_DEADLINE } from '../tasks/task-limits.js';
import type { BaseOptions, TaskOptions } from '../tasks/task-options.js';
import { mergeOptions, readTaskOptions } from '../tasks/task-options.js';
import type { TaskRef } from '../tasks/tasks.js';
import type { OnCallerGone, RelayCall, RelayRetry } from './relay-call.js';
import { readRelayCall, RELAY_FIELDS } from './relay-call.js';
import { DEADLINE_ROOM, fittingDeadline } from './relay-budget.js';
import { RelayCancel } from './relay-cancel.js';
import { RelaySettings } from './relay-options.js';
import type { AskedRelay } from './relay-records.js';
import { digest, idOfKey, RelayRecords } from './relay-records.js';
import type { RelayRecord } from './relay-status.js';
import { RelayStatuses } from './relay-status.js';
import { fingerprintOf, relayTaskBody } from './relay-task.js';

/** A call for the relay to make. */
export interface RelayRequest {
  /** Of an origin that a rule allows. */
  readonly url: string;
  /** Default `POST`. */
  readonly method?: 'POST' | 'GET' | 'HEAD' | 'PUT' | 'DELETE' | 'PATCH' | 'OPTIONS' | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * A text goes as it is, bytes as bytes, `URLSearchParams` as a form; anything else as JSON, or as
   * a form where `contentType` says so.
   */
  readonly payload?: unknown;
  /** Default: that of the payload's kind. */
  readonly contentType?: string | undefined;
  /**
   * From the start of an attempt to the last byte of its answer, `1s` to `24h`, as far as the
   * deployment can hold a call. Default: that of the rule, else `10m`.
   */
  readonly timeout?: DurationText | undefined;
  /** Told how the call ended: a signed webhook, as a task of its own. */
  readonly callbackUrl?: string | undefined;
  /** The same call as every other one of this key, which is then made once in 31 days. */
  readonly idempotencyKey?: string | undefined;
  /**
   * Whether a call ends when nobody waits for it any more. Default: `finish` where it has an
   * `idempotencyKey` or is `never-after-sent`, else `abort`.
   */
  readonly onCallerGone?: OnCallerGone | undefined;
  /** Default `at-least-once`. */
  readonly retry?: RelayRetry | undefined;
}

/** The task of a relayed call. */
export interface RelayRef extends TaskRef {
  /** By which its record is found. */
  readonly id: string;
}

/** Who asks, where that isn't the app's own code. */
export interface AskedBy {
  readonly owner?: string;
  /** An id of the task that only this very request can have. */
  readonly ownId?: string | undefined;
  /** Refuses what the caller may not do. */
  readonly check?: (queue: string) => void;
}

export interface CreatedRelay {
  readonly id: string;
  readonly task: EnqueuedAs;
  readonly queue: string;
}

/** The path of the relay's handler. */
export const RELAY_PATH = '/relay';

/** Injectable wherever `RelayModule` is imported. */
@Injectable()
export class Relay {
  constructor(
    private readonly backend: QueueBackend,
    private readonly policy: OutboundPolicy,
    private readonly settings: RelaySettings,
    private readonly records: RelayRecords,
    private readonly journal: ExclusiveRuns,
    private readonly routes: HandlerRoutes,
    private readonly tasks: HandlerTasks,
    private readonly statuses: RelayStatuses,
    private readonly cancels: RelayCancel,
  ) {
    routes.takeFrom(settings.queues);
  }

  /**
   * Enqueues the call; resolves when its task is durable.
   *
   * @param options of its task, as of `.delay`
   * @throws CloudTasksError INVALID_ARGUMENT naming the field or option, PERMISSION_DENIED for a URL
   *   that no rule allows, ALREADY_EXISTS for a `taskId` that was used, or an `idempotencyKey` that
   *   another call has, FAILED_PRECONDITION without a store
   */
  async call(request: RelayRequest, options: TaskOptions = {}): Promise<RelayRef> {
    const fields = new Fields(requestText(request), RELAY_FIELDS);
    const { id, task, queue } = await this.create(fields, options, {});
    const scheduleTime = new Date(task.scheduleTime / MILLISECOND);
    return { id, name: task.name, queue, taskId: shortId(task.name), scheduleTime };
  }

  /**
   * What has become of a call.
   *
   * @param id of `call`
   * @throws CloudTasksError NOT_FOUND for a call that never was, or that ended too long ago
   */
  status(id: string): Promise<RelayRecord> {
    return this.statuses.of(id);
  }

  /**
   * Ends a call that waits or is under way.
   *
   * @throws CloudTasksError NOT_FOUND as `status`, FAILED_PRECONDITION when it has ended already
   */
  cancel(id: string): Promise<RelayRecord> {
    return this.cancels.cancel(id);
  }

  /** @throws CloudTasksError */
  async create(
    fields: Fields,
    { maxAttempts, ...given }: TaskOptions,
    { owner, ownId, check }: AskedBy,
  ): Promise<CreatedRelay> {
    if (!this.journal.possible) {
      throw new CloudTasksError('FAILED_PRECONDITION', `The relay ${STORE_MISSING}.`);
    }
    const { call, timeout: wanted } = this.permitted(readRelayCall(fields));
    const { options, timeout } = this.options(given, wanted, ownId);
    check?.(options.queue);
    const limits = { ...call, timeout };
    const fingerprint = fingerprintOf(call);
    const named = this.idFor(limits, owner, ownId);
    const before = named === undefined ? undefined : await this.askedBefore(named, fingerprint);
    const id = named ?? randomBytes(32).toString('hex');
    const body = relayTaskBody({ call: limits, id, owner, maxAttempts });
    const work = {
      method: 'POST',
      callee: `POST ${RELAY_PATH}`,
      path: this.path,
      contentType: 'application/json',
      body: JSON.stringify(body),
    } as const;
    const { url, method, callbackUrl } = call;
    const about = {
      fingerprint,
      ...(owner === undefined ? {} : { owner }),
      ...(callbackUrl === undefined ? {} : { call: { url, method, callbackUrl } }),
    };
    // What is known of the task that was asked for before holds until there is another one.
    if (!before) await this.records.noteAsked(id, about);
    const task = await this.tasks.create(work, options, ownId);
    await this.records.noteAsked(id, { ...about, task: task.name });
    return { id, task, queue: options.queue };
  }

  private get path(): string {
    return findHandler(this.routes.read(), 'RelayController.relay').route.path;
  }

  /** What the outbound rules make of it; they are asked again when it is made. */
  private permitted(asked: RelayCall): { call: RelayCall; timeout: Duration | undefined } {
    const { rule } = this.policy.permit(asked.url);
    const headers = this.policy.headers(rule, asked.headers);
    if (asked.callbackUrl !== undefined) {
      this.policy.permit(asked.callbackUrl, 'callbackUrl');
      if (this.settings.callbackSecrets.length === 0) {
        throw new CloudTasksError(
          'FAILED_PRECONDITION',
          'callbackUrl: nobody could tell a callback from a forged one: set CALLBACK_SECRET (the option callbackSecrets).',
          { field: 'callbackUrl' },
        );
      }
    }
    if (asked.onCallerGone === 'finish' && !this.settings.mayFinish) {
      throw invalidArgument(
        "onCallerGone: expected 'abort', as on Cloud Run a call that nobody waits for gets no CPU.",
        'onCallerGone',
      );
    }
    const most = rule.timeout;
    if (asked.timeout !== undefined && most !== undefined && asked.timeout > most) {
      throw invalidArgument(
        `timeout: expected at most '${most / SECOND}s' by the rule of ${rule.origin}, got '${asked.timeout / SECOND}s'.`,
        'timeout',
      );
    }
    return { call: { ...asked, headers }, timeout: asked.timeout ?? most };
  }

  private options(
    given: TaskOptions,
    wanted: Duration | undefined,
    ownId: string | undefined,
  ): { options: BaseOptions; timeout: Duration } {
    const route = findHandler(this.routes.read(), 'RelayController.relay');
    const { queues: longQueues, requestLimit } = this.settings;
    const [queue] = longQueues;
    const taskId = given.taskId ?? ownId;
    const own = readTaskOptions(taskId === undefined ? given : { ...given, taskId });
    const asked = mergeOptions(route.options, queue === undefined ? {} : { queue }, own);
    const isLong = this.backend.kind === 'embedded' || longQueues.includes(asked.queue);
    const most = isLong ? MOST_APP_ENGINE_DEADLINE : requestLimit;
    const timeout = wanted ?? Math.min(DEFAULT_TIMEOUT, most - DEADLINE_ROOM);
    const place = { freely: own.target === undefined && this.backend.kind, most, longQueues };
    return { options: fittingDeadline(asked, place, timeout), timeout };
  }

  /** Undefined for a call that can't have been asked for before. */
  private idFor(
    { idempotencyKey }: RelayCall,
    owner: string | undefined,
    ownId: string | undefined,
  ): string | undefined {
    const { location } = this.backend;
    if (idempotencyKey !== undefined) return idOfKey(location, owner, idempotencyKey);
    return ownId === undefined ? undefined : digest(`${location} ${ownId}`);
  }

  private async askedBefore(id: string, fingerprint: string): Promise<AskedRelay | undefined> {
    const before = await this.records.asked(id);
    if (before && before.fingerprint !== fingerprint) {
      // Of a call that nobody remembers any more, the key is free.
      if (before.task !== undefined && !(await this.statuses.isKnown(id))) return undefined;
      throw new CloudTasksError(
        'ALREADY_EXISTS',
        'idempotencyKey: another call was made under this key; use a new key for each.',
        { field: 'idempotencyKey' },
      );
    }
    return before;
  }
}

/** As HTTP tasks have it. */
export const DEFAULT_TIMEOUT: Duration = 600 * SECOND;

/** As a JSON body would say it. */
function requestText({ payload, contentType, ...rest }: RelayRequest): string {
  if (payload instanceof Uint8Array) {
    const payloadBase64 = Buffer.from(payload).toString('base64');
    return JSON.stringify({ ...rest, contentType, payloadBase64 });
  }
  if (payload instanceof URLSearchParams) {
    const type = contentType ?? 'application/x-www-form-urlencoded;charset=UTF-8';
    return JSON.stringify({ ...rest, contentType: type, payload: payload.toString() });
  }
  try {
    return JSON.stringify({ ...rest, contentType, payload });
  } catch {
    throw invalidArgument('payload: expected what JSON can say.', 'payload');
  }
}

/** Keeps what is too large for a task apart from it, gives it back to its delivery, clears it by age. */
import type { OnApplicationBootstrap, OnModuleDestroy, OnModuleInit } from '@nestjs/common';
import { HttpException, Inject, Injectable, Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { CloudTasksError, invalidArgument } from '../../engine/errors.js';
import type { Clock, Timer } from '../../engine/ports.js';
import type { Duration, Instant } from '../../engine/time.js';
import { HOUR, MILLISECOND, MINUTE } from '../../engine/time.js';
import type { PayloadStore } from '../../foundation/payload-store.js';
import { CLOCK } from '../cloud-tasks/queue-backend.js';
import type { PayloadSettings } from './payload-options.js';
import { PAYLOAD_SETTINGS } from './payload-options.js';
import type { PayloadReference } from './payload-reference.js';
import {
  isIntact,
  PAYLOAD_HEADER,
  readReference,
  referenceTo,
  writeReference,
} from './payload-reference.js';

/** Not at once: a process that has just started has better things to do. */
const FIRST_CLEARING: Duration = MINUTE;
const CLEARING_INTERVAL: Duration = 6 * HOUR;

/** As node's requests name it. */
const HEADER = PAYLOAD_HEADER.toLowerCase();

const restored = new WeakSet<object>();

@Injectable()
export class Payloads implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Tasks');
  private store: PayloadStore | undefined;
  private timer: Timer | undefined;

  constructor(
    @Inject(PAYLOAD_SETTINGS) private readonly settings: PayloadSettings | undefined,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** The largest payload, in bytes; undefined where no store is configured. */
  get maxBytes(): number | undefined {
    return this.settings?.maxBytes;
  }

  /** @throws CloudTasksError FAILED_PRECONDITION for a store that can't be opened */
  async onModuleInit(): Promise<void> {
    if (!this.settings) return;
    // Only here: the client of a bucket takes a while to load.
    const { openPayloadStore } = await import('../../host/open-payload-store.js');
    this.store = await openPayloadStore(this.settings.place);
  }

  onApplicationBootstrap(): void {
    if (this.settings) this.clearAfter(FIRST_CLEARING);
  }

  onModuleDestroy(): void {
    this.timer?.cancel();
  }

  /**
   * Keeps a body; durable when this answers.
   *
   * @returns the headers that make a task's delivery find it again
   * @throws CloudTasksError INVALID_ARGUMENT for one that is too large; UNAVAILABLE
   */
  async keep(bytes: Uint8Array): Promise<Record<string, string>> {
    const { store, maxBytes } = this.opened();
    if (bytes.length > maxBytes) {
      throw invalidArgument(
        `The arguments make a body of ${bytes.length} bytes; payloadStore.maxBytes allows ${maxBytes}.`,
        'task',
      );
    }
    const reference = referenceTo(this.newKey(), bytes);
    await store.put(reference.key, bytes);
    return { [PAYLOAD_HEADER]: writeReference(reference) };
  }

  /**
   * The headers for a new task that takes the place of one with these: a successor, a dead letter,
   * a redriven task. A payload of an earlier day is copied, so that it is kept as long again.
   *
   * @returns the same headers where there is no payload, or none any more
   */
  async carryOn(headers: Readonly<Record<string, string>>): Promise<Record<string, string>> {
    const carried = { ...headers };
    const name = nameIn(headers);
    const reference = name === undefined ? undefined : readReference(headers[name] ?? '');
    if (name === undefined || !reference || !this.store) return carried;
    const key = this.newKey();
    if (dayOf(reference.key) === dayOf(key)) return carried;
    if (await this.store.copy(reference.key, key)) {
      carried[name] = writeReference({ ...reference, key });
    }
    return carried;
  }

  /**
   * The payload that the headers of a task refer to; undefined for a task that has its body itself.
   *
   * @throws Error for a payload that is gone, damaged or out of reach
   */
  async bodyOf(headers: Readonly<Record<string, string>>): Promise<Uint8Array | undefined> {
    const name = nameIn(headers);
    if (name === undefined) return undefined;
    const reference = readReference(headers[name] ?? '');
    if (!reference) throw unreadable(`its ${PAYLOAD_HEADER} header is none of ours`);
    return this.read(reference);
  }

  /**
   * Puts the payload that a delivery refers to in the place of its empty body, for the parsers to
   * read. Only for verified requests.
   *
   * @returns whether there was one
   * @throws HttpException 422 for a payload that is gone or damaged, 500 while it can't be had
   */
  async restore(request: IncomingMessage): Promise<boolean> {
    const values = request.headersDistinct[HEADER];
    if (!values || restored.has(request)) return restored.has(request);
    const [value = '', ...more] = values;
    const reference = more.length === 0 ? readReference(value) : undefined;
    if (!reference) throw unreadable(`its ${PAYLOAD_HEADER} header is none of ours`);
    const bytes = await this.read(reference);
    // Nobody has read the empty body yet, so its end is still to come.
    if (bytes.length > 0) request.unshift(bytes);
    request.headers['content-length'] = String(bytes.length);
    delete request.headers['transfer-encoding'];
    restored.add(request);
    return true;
  }

  private async read(reference: PayloadReference): Promise<Uint8Array> {
    const { key, size } = reference;
    let bytes: Uint8Array | undefined;
    try {
      const { store, maxBytes } = this.opened();
      if (size > maxBytes) {
        throw unreadable(`it has ${size} bytes, and payloadStore.maxBytes allows ${maxBytes}`);
      }
      bytes = await store.get(key, Math.max(size, 1));
    } catch (error) {
      if (error instanceof HttpException) throw error;
      this.logger.error(`The payload ${key} can't be had. ${String(error)}`);
      throw new HttpException({ statusCode: 500, code: 'UNAVAILABLE', message: OUT_OF_REACH }, 500);
    }
    if (!bytes) throw unreadable(`it is not in the store, or not any more: ${key}`);
    if (!isIntact(reference, bytes)) throw unreadable(`it is not what was kept: ${key}`);
    return bytes;
  }

  private opened(): { readonly store: PayloadStore; readonly maxBytes: number } {
    const { store, settings } = this;
    if (store && settings) return { store, maxBytes: settings.maxBytes };
    throw new CloudTasksError(
      'FAILED_PRECONDITION',
      'The task has its payload in a store, and the option payloadStore is not set.',
      { field: 'payloadStore' },
    );
  }

  private newKey(): string {
    return `${dayText(this.clock.now())}/${randomUUID()}`;
  }

  private clearAfter(wait: Duration): void {
    this.timer = this.clock.after(wait, () => {
      this.clearAfter(CLEARING_INTERVAL);
      void this.clear();
    });
  }

  /** Never rejects: what could not be removed today is removed another day. */
  private async clear(): Promise<void> {
    if (!this.settings || !this.store) return;
    try {
      const day = dayText(this.clock.now() - this.settings.keep);
      const count = await this.store.removeBefore(day);
      if (count > 0) this.logger.log(`Removed ${count} payload(s) of before ${day}.`);
    } catch (error) {
      this.logger.warn(`Old payloads can't be removed. ${String(error)}`);
    }
  }
}

/** Whether a request says that its body is kept apart from it. */
export function isKeptApart({ headers }: IncomingMessage): boolean {
  return headers[HEADER] !== undefined;
}

/** Whether such a body was put back. */
export function isRestored(request: object): boolean {
  return restored.has(request);
}

/** How the headers of a task, which keep their case, name it. */
function nameIn(headers: Readonly<Record<string, string>>): string | undefined {
  return Object.keys(headers).find((header) => header.toLowerCase() === HEADER);
}

const OUT_OF_REACH = "The task's payload can't be had at the moment.";

/** Trying again would not help, so the outcome is that of a payload that fails its validation. */
function unreadable(reason: string): HttpException {
  const message = `The task's payload can't be read: ${reason}.`;
  return new HttpException({ statusCode: 422, code: 'FAILED_PRECONDITION', message }, 422);
}

function dayText(instant: Instant): string {
  return new Date(instant / MILLISECOND).toISOString().slice(0, 10);
}

function dayOf(key: string): string {
  return key.slice(0, 10);
}

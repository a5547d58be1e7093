/** Tells by its API key who enqueues, and how often that may be. */
import { Logger } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../engine/ports.js';
import type { Duration, Instant } from '../../engine/time.js';
import { SECOND } from '../../engine/time.js';
import { Refusal, unauthenticated } from '../auth/refusal.js';
import type { KeyRecord } from './api-key.js';
import { KEY_HEADER, recordOf } from './api-key.js';
import { readKeyFile } from './key-file.js';
import type { ProducerCaller } from './producer-caller.js';
import { RequestRate } from './request-rate.js';

/** A revoked key is refused after this long where the file is mounted, as Cloud Run does. */
const REREAD_AFTER: Duration = 30 * SECOND;
/** Of whoever guesses: all of them together, so that none helps itself by another id. */
const WRONG_KEYS = 60;

export class ApiKeyCheck {
  private readonly logger = new Logger('Tasks');
  private records: ReadonlyMap<string, KeyRecord>;
  private readAt: Instant;
  private readonly rates = new Map<string, RequestRate>();
  private readonly wrong = new RequestRate(WRONG_KEYS);

  /** @throws CloudTasksError, or the system's error, for a file that can't be used */
  constructor(
    private readonly file: string,
    private readonly clock: Clock,
  ) {
    this.records = readKeyFile(file);
    this.readAt = clock.now();
  }

  /** @throws Refusal, TooMany */
  check({ headersDistinct }: IncomingMessage): ProducerCaller {
    const now = this.clock.now();
    if (now >= this.readAt + REREAD_AFTER) this.read(now);
    const [key = '', ...more] = headersDistinct[KEY_HEADER] ?? [];
    const record = more.length === 0 ? recordOf(key, this.records) : undefined;
    if (!record) {
      // Who has a right key is never slowed down by those who have none.
      if (key !== '') this.allow(this.wrong, now, 'too many wrong keys came');
      throw unauthenticated(
        key === '' ? `there is no ${KEY_HEADER} header` : `the ${KEY_HEADER} is not one of ours`,
      );
    }
    let rate = this.rates.get(record.id);
    if (rate?.perMinute !== record.rate) {
      rate = new RequestRate(record.rate);
      this.rates.set(record.id, rate);
    }
    this.allow(rate, now, `the key ${record.id} of ${record.client} came too often`);
    return { name: `${record.client} (key ${record.id})`, scopes: record };
  }

  private allow(rate: RequestRate, now: Instant, reason: string): void {
    const seconds = rate.take(now);
    if (seconds > 0) throw new TooMany(reason, seconds);
  }

  /** A file that has become unreadable changes nothing: a half-written one would lock all out. */
  private read(now: Instant): void {
    this.readAt = now;
    try {
      this.records = readKeyFile(this.file);
    } catch (error) {
      this.logger.error(`The API keys stay as they were: ${String(error)}`);
    }
  }
}

/** Answered with 429 and `Retry-After`. */
export class TooMany extends Refusal {
  constructor(
    reason: string,
    readonly seconds: number,
  ) {
    super('RESOURCE_EXHAUSTED', reason);
  }
}

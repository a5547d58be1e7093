/** Tells by its API key who enqueues, and how often that may be. */
import { Logger } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../engine/ports.js';
import type { Duration, Instant } from '../../engine/time.js';
import { SECOND } from '../../engine/time.js';
import { unauthenticated } from '../auth/refusal.js';
import type { KeyRecord } from './api-key.js';
import { KEY_HEADER, recordOf } from './api-key.js';
import { readKeyFile } from './key-file.js';
import type { ProducerCaller } from './producer-caller.js';
import { RequestRates } from './request-rate.js';

/** A revoked key is refused after this long where the file is mounted, as Cloud Run does. */
const REREAD_AFTER: Duration = 30 * SECOND;
/** Of whoever guesses: all of them together, so that none helps itself by another id. */
const WRONG_KEYS = 60;

export class ApiKeyCheck {
  private readonly logger = new Logger('Tasks');
  private records: ReadonlyMap<string, KeyRecord>;
  private readAt: Instant;
  private readonly rates = new RequestRates();

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
      if (key !== '') this.rates.take('', WRONG_KEYS, now, 'too many wrong keys came');
      throw unauthenticated(
        key === '' ? `there is no ${KEY_HEADER} header` : `the ${KEY_HEADER} is not one of ours`,
      );
    }
    const reason = `the key ${record.id} of ${record.client} came too often`;
    this.rates.take(record.id, record.rate, now, reason);
    const { id, client } = record;
    return { name: `${client} (key ${id})`, client, scopes: record };
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

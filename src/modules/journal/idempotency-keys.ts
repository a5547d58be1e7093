/** Answers a request that is sent again under its `Idempotency-Key` as the first time. */
import { Inject, Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { CloudTasksError, invalidArgument } from '../../engine/errors.js';
import type { Duration } from '../../engine/time.js';
import { DAY, SECOND } from '../../engine/time.js';
import { ExclusiveRuns, NotNow, RunsElsewhere } from './exclusive-runs.js';
import type { JournalOptions } from './journal-options.js';
import { JOURNAL_OPTIONS, STORE_MISSING } from './journal-options.js';

const HEADER = 'Idempotency-Key';
const KEY = /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/;

/** How long a first answer is remembered. */
const TTL: Duration = DAY;
/** A create takes 20 s at most. */
const LEASE: Duration = 30 * SECOND;

interface Remembered<Answer> {
  readonly fingerprint: string;
  readonly answer: Answer;
}

@Injectable()
export class IdempotencyKeys {
  constructor(
    private readonly runs: ExclusiveRuns,
    @Inject(JOURNAL_OPTIONS) private readonly options: JournalOptions,
  ) {}

  /**
   * @param asked by whom, since keys of others are others; and what makes it the same request
   * @param work given, where the request has a key, an id of a task that is always the same one: so
   *   a crash between the create and its record makes no second task
   * @throws CloudTasksError INVALID_ARGUMENT for a bad key, ALREADY_EXISTS for one that another
   *   request had, ABORTED while that is being answered, FAILED_PRECONDITION without a store
   */
  async answer<Answer>(
    request: IncomingMessage,
    { caller, content }: { readonly caller: string; readonly content: string },
    work: (taskId?: string) => Promise<Answer>,
  ): Promise<Answer> {
    const key = readKey(request);
    if (key === undefined) return work();
    if (!this.runs.possible) {
      throw new CloudTasksError('FAILED_PRECONDITION', `${HEADER} ${STORE_MISSING}.`, {
        field: HEADER,
      });
    }
    const fingerprint = digest(content);
    const scope = digest(JSON.stringify([this.options.location, caller, key]));
    const { outcome } = await this.once(`request:${scope}`, async () => {
      const answer = await work(digest(`${scope} ${fingerprint}`));
      return JSON.stringify({ fingerprint, answer } satisfies Remembered<Answer>);
    });
    const remembered = JSON.parse(outcome) as Remembered<Answer>;
    if (remembered.fingerprint === fingerprint) return remembered.answer;
    throw new CloudTasksError(
      'ALREADY_EXISTS',
      `${HEADER}: another request was made under this key; use a new key for each.`,
      { field: HEADER },
    );
  }

  private async once(key: string, work: () => Promise<string>): Promise<{ outcome: string }> {
    try {
      return await this.runs.run(key, { lease: LEASE, ttl: TTL }, work);
    } catch (error) {
      if (!(error instanceof NotNow)) throw error;
      const [code, why] =
        error instanceof RunsElsewhere
          ? (['ABORTED', 'a request under this key is being answered now'] as const)
          : (['UNAVAILABLE', "the store can't be reached"] as const);
      throw new CloudTasksError(code, `${HEADER}: ${why}; try again in a moment.`, {
        field: HEADER,
        cause: error,
      });
    }
  }
}

function readKey({ headersDistinct: headers }: IncomingMessage): string | undefined {
  const [key, ...more] = headers[HEADER.toLowerCase()] ?? [];
  if (key === undefined) return undefined;
  if (more.length > 0 || !KEY.test(key)) {
    const came = more.length > 0 ? 'several' : key === '' ? 'none' : 'another text';
    throw invalidArgument(
      `${HEADER}: expected one key of 1 to 255 ASCII characters, got ${came}.`,
      HEADER,
    );
  }
  return key;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

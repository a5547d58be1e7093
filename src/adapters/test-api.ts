/** What tests may ask of a running engine, over HTTP under `/emulator/v1`. */
import type { IncomingMessage } from 'node:http';
import type { ErrorCode } from '../engine/errors.js';
import { CloudTasksError, invalidArgument, notFound } from '../engine/errors.js';
import type { Clock } from '../engine/ports.js';
import { parseTaskName } from '../engine/resource-name.js';
import type { Duration, Instant } from '../engine/time.js';
import { DAY, MILLISECOND, MINUTE, SECOND } from '../engine/time.js';
import type { TestAttempts } from './test-attempts.js';
import { attemptJson } from './test-attempts-json.js';
import type { TestFaults } from './test-faults.js';
import { faultJson, readFault } from './test-faults-json.js';
import type { JsonFields } from './test-json.js';
import { durationText, readJson, timeText } from './test-json.js';

export interface TestApiOptions {
  readonly engine: TestedEngine;
  readonly clock: Clock & {
    readonly ahead: Duration;
    advance(by: Duration): void;
    reset(): void;
  };
  readonly attempts: TestAttempts;
  readonly faults: TestFaults;
}

export interface TestedEngine {
  reset(options: { readonly keepQueues: boolean }): Promise<void>;
  whenIdle(signal: AbortSignal): Promise<Instant | undefined>;
}

export interface TestAnswer {
  readonly status: number;
  readonly text: string;
}

type Verb = (body: JsonFields) => Promise<object> | object;

const PREFIX = '/emulator/v1/';
const DEFAULT_WAIT: Duration = 10 * SECOND;
const LONGEST_WAIT: Duration = 5 * MINUTE;
const LONGEST_ADVANCE: Duration = 366 * DAY;

export class TestApi {
  private readonly verbs: Readonly<Record<string, Readonly<Record<string, Verb>>>> = {
    reset: { POST: (body) => this.reset(body) },
    wait: { POST: (body) => this.wait(body) },
    clock: { GET: () => this.time(), POST: (body) => this.advance(body) },
    faults: {
      GET: () => this.faults(),
      POST: (body) => this.addFault(body),
      DELETE: () => this.clearFaults(),
    },
  };

  constructor(private readonly options: TestApiOptions) {}

  /** Undefined for paths that aren't its own. */
  readonly answer = async (request: IncomingMessage): Promise<TestAnswer | undefined> => {
    const { url = '', method = '' } = request;
    if (!url.startsWith(PREFIX)) return undefined;
    try {
      const verbs = this.verbsOf(url.slice(PREFIX.length));
      const verb = Object.hasOwn(verbs, method) ? verbs[method] : undefined;
      if (!verb) throw unimplemented(`This path allows ${Object.keys(verbs).join(', ')}.`);
      return jsonAnswer(200, await verb(await readJson(request)));
    } catch (error) {
      if (error instanceof CloudTasksError) return refusal(error);
      throw error;
    }
  };

  private verbsOf(path: string): Readonly<Record<string, Verb>> {
    if (path.includes('?')) throw invalidArgument('The test API takes no query.');
    const verbs = Object.hasOwn(this.verbs, path) ? this.verbs[path] : undefined;
    if (verbs) return verbs;
    const [, task] = /^(projects\/.*\/tasks\/.*)\/attempts$/.exec(path) ?? [];
    if (task !== undefined) return { GET: () => this.attempts(decoded(task)) };
    throw notFound(
      `Nothing is served at this path: it is one of ${Object.keys(this.verbs).join(', ')} and projects/*/locations/*/queues/*/tasks/*/attempts.`,
    );
  }

  private async reset(body: JsonFields): Promise<object> {
    body.allow(['keepQueues']);
    const keepQueues = body.boolean('keepQueues') ?? false;
    const { engine, clock, attempts, faults } = this.options;
    // Before the queues begin anew, which count from its time.
    clock.reset();
    faults.clear();
    await engine.reset({ keepQueues });
    attempts.forget();
    return {};
  }

  private async wait(body: JsonFields): Promise<object> {
    body.allow(['limit']);
    const limit = body.duration('limit', LONGEST_WAIT) ?? DEFAULT_WAIT;
    const cut = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    try {
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new CloudTasksError('DEADLINE_EXCEEDED', NOT_IDLE)),
          limit / MILLISECOND,
        );
      });
      const next = await Promise.race([this.options.engine.whenIdle(cut.signal), late]);
      return next === undefined ? {} : { nextScheduleTime: timeText(next) };
    } finally {
      clearTimeout(timer);
      cut.abort();
    }
  }

  private time(): object {
    const { clock } = this.options;
    return { time: timeText(clock.now()), ahead: durationText(clock.ahead) };
  }

  private advance(body: JsonFields): object {
    body.allow(['advance']);
    const by = body.duration('advance', LONGEST_ADVANCE);
    if (by === undefined) {
      throw invalidArgument("advance is required, for example '30m'.", 'advance');
    }
    this.options.clock.advance(by);
    return this.time();
  }

  private attempts(task: string): object {
    const { queue, id } = parseTaskName(task, 'task');
    const attempts = this.options.attempts.of(`${queue}/tasks/${id}`);
    return { attempts: attempts.map(attemptJson) };
  }

  private faults(): object {
    return { faults: this.options.faults.pending.map(faultJson) };
  }

  private addFault(body: JsonFields): object {
    this.options.faults.add(readFault(body));
    return this.faults();
  }

  private clearFaults(): object {
    this.options.faults.clear();
    return this.faults();
  }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    const message = 'The path is not valid percent-encoding.';
    throw new CloudTasksError('INVALID_ARGUMENT', message, { cause });
  }
}

const NOT_IDLE =
  'Not idle within the limit: tasks are in flight, or due and waiting for their queue to send them.';

const STATUS: Partial<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: 400,
  NOT_FOUND: 404,
  UNIMPLEMENTED: 405,
  DEADLINE_EXCEEDED: 504,
};

function refusal({ code: status, message }: CloudTasksError): TestAnswer {
  const code = STATUS[status] ?? 500;
  return jsonAnswer(code, { error: { code, message, status } });
}

function jsonAnswer(status: number, json: object): TestAnswer {
  return { status, text: `${JSON.stringify(json, null, 2)}\n` };
}

function unimplemented(message: string): CloudTasksError {
  return new CloudTasksError('UNIMPLEMENTED', message);
}

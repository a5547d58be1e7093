/** Remembers what the last attempts sent and got, for tests to look at; tokens are left out. */
import type { Clock, Dispatch, DispatchResult, NotSent, Transport } from '../engine/ports.js';
import type { Instant } from '../engine/time.js';

/** Of all tasks together; the oldest are forgotten first. */
const MOST_KEPT = 1_000;

/** So much of a body is kept. */
const BODY_LIMIT_BYTES = 16 * 1024;

export interface KeptBody {
  /** The first of them. */
  readonly bytes: Uint8Array;
  readonly isCut: boolean;
}

export interface SentRequest {
  readonly method: string;
  /** Of an HTTP target. */
  readonly url?: string;
  /** Of an App Engine target; an empty service is the default one. */
  readonly service?: string;
  readonly relativeUri?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: KeptBody;
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

export interface SeenResponse {
  readonly headers: Headers;
  readonly body: KeptBody;
}

export interface RecordedAttempt {
  readonly task: string;
  readonly dispatchTime: Instant;
  readonly request: SentRequest;
  /** When it ended; absent while it is in flight. */
  endTime?: Instant;
  result?: DispatchResult;
  /** Absent when none came over the network. */
  response?: SeenResponse;
}

export class TestAttempts implements Transport {
  private attempts: RecordedAttempt[] = [];
  private readonly byDispatch = new WeakMap<Dispatch, RecordedAttempt>();

  constructor(
    private readonly transport: Transport,
    private readonly clock: Clock,
  ) {}

  async send(dispatch: Dispatch, signal: AbortSignal): Promise<DispatchResult | NotSent> {
    const attempt: RecordedAttempt = {
      task: dispatch.task,
      dispatchTime: this.clock.now(),
      request: requestOf(dispatch),
    };
    this.attempts.push(attempt);
    if (this.attempts.length > MOST_KEPT) this.attempts.shift();
    this.byDispatch.set(dispatch, attempt);
    const result = await this.transport.send(dispatch, signal);
    if (result.kind === 'not-sent') {
      this.attempts = this.attempts.filter((other) => other !== attempt);
      return result;
    }
    attempt.endTime = this.clock.now();
    attempt.result = result;
    return result;
  }

  /** A response that came over the network, before `send` resolves. */
  seen(dispatch: Dispatch, response: { headers: Headers; body: Uint8Array }): void {
    const attempt = this.byDispatch.get(dispatch);
    if (attempt) attempt.response = { headers: response.headers, body: kept(response.body) };
  }

  /** @param task full name */
  of(task: string): readonly RecordedAttempt[] {
    return this.attempts.filter((attempt) => attempt.task === task);
  }

  forget(): void {
    this.attempts = [];
  }
}

function requestOf({ target, method, headers, body }: Dispatch): SentRequest {
  return {
    method,
    headers,
    ...(target.kind === 'http'
      ? { url: target.url }
      : { service: target.service, relativeUri: target.relativeUri }),
    body: kept(body ?? new Uint8Array()),
  };
}

/** A copy, so that what is cut off isn't held. */
function kept(body: Uint8Array): KeptBody {
  return { bytes: body.slice(0, BODY_LIMIT_BYTES), isCut: body.length > BODY_LIMIT_BYTES };
}

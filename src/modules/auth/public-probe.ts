/** Finds out whether strangers reach the handlers of a service that should let none through. */
import { Logger } from '@nestjs/common';
import type { Clock } from '../../engine/ports.js';
import type { Duration, Instant } from '../../engine/time.js';
import { MINUTE, SECOND } from '../../engine/time.js';
import { reasonOf } from './fetch-failure.js';

/** On every answer of the guard's own, which tells it from those of Google's front end. */
export const GUARD_HEADER = 'x-tasks-guard';

/** On every request of the probe's, so that a guard that it gets to doesn't wait for its finding. */
export const PROBE_HEADER = 'x-tasks-probe';

const FETCH_LIMIT_MS = 5_000;
/** Somebody may open the service while it runs. */
const GOOD_FOR: Duration = 10 * MINUTE;
const AGAIN_AFTER: Duration = 5 * SECOND;

/** Not 404, which an app answers too. So the service's address must be reachable from within. */
const REFUSED = [401, 403];

/** Well formed, and of nobody: where this is read, any other could be too. */
const FORGED = [
  { alg: 'RS256', kid: 'probe', typ: 'JWT' },
  { email: 'probe@nest-cloud-tasks.invalid' },
].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));

interface Finding {
  /** Why handlers must not be served; undefined when nobody got through. */
  readonly problem: string | undefined;
  readonly at: Instant;
}

export class PublicProbe {
  private readonly logger = new Logger('Tasks');
  private last: Finding = { problem: 'it is not known yet', at: -Infinity };
  private probing: Promise<void> | undefined;

  /** @param address URL of a handler, as strangers would call it */
  constructor(
    private readonly address: () => Promise<string>,
    private readonly clock: Clock,
  ) {}

  /** @returns why handlers must not be served; undefined when nobody can get through */
  async problem(): Promise<string | undefined> {
    const age = this.clock.now() - this.last.at;
    if (this.last.problem !== undefined) {
      if (age >= AGAIN_AFTER) await this.probe();
    } else if (age >= GOOD_FOR) {
      void this.probe();
    }
    return this.last.problem;
  }

  /** One at a time; never rejects. */
  private probe(): Promise<void> {
    this.probing ??= this.findProblem()
      .catch((error: unknown) => `the service can't be asked (${reasonOf(error)})`)
      .then((problem) => {
        if (problem !== undefined) {
          this.logger.error(`Handlers are not served in mode cloud-run-iam: ${problem}.`);
        }
        this.last = { problem, at: this.clock.now() };
      })
      .finally(() => (this.probing = undefined));
    return this.probing;
  }

  private async findProblem(): Promise<string | undefined> {
    const url = await this.address();
    const forged = `Bearer ${FORGED.join('.')}.SIGNATURE_REMOVED_BY_GOOGLE`;
    for (const token of [{}, { authorization: forged }, { 'x-serverless-authorization': forged }]) {
      const headers = { ...token, [PROBE_HEADER]: '1' };
      const signal = AbortSignal.timeout(FETCH_LIMIT_MS);
      const response = await fetch(url, { method: 'POST', headers, redirect: 'manual', signal });
      await response.body?.cancel();
      if (response.headers.has(GUARD_HEADER)) {
        return 'strangers reach them, so the service is public: require authentication, or set AUTH_MODE=oidc';
      }
      if (!REFUSED.includes(response.status)) {
        return `a stranger's request was answered ${response.status}, not refused by Google's front end`;
      }
    }
    return undefined;
  }
}

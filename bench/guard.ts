/** Requests/s of a handler behind the guard, and behind Google's own verification, against none. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { requestsPerSecond } from './load.js';
import type { Figures } from './measure.js';
import { compare, writeResults } from './measure.js';

const LOAD = { seconds: 2, connections: 64 };
const BODY = JSON.stringify({ to: 'someone@example.com', subject: 'hello', body: 'x'.repeat(100) });

const child = fork(new URL('./guard-child.js', import.meta.url));
const [{ url, tokens }] = (await once(child, 'message')) as [{ url: string; tokens: string[] }];
const [token = ''] = tokens;

const load = (route: string, authorization: string | readonly string[]) =>
  requestsPerSecond({
    ...LOAD,
    url: `${url}/${route}`,
    body: BODY,
    ...(typeof authorization === 'string'
      ? { headers: { authorization } }
      : { headersInTurn: authorization.map((each) => ({ authorization: each })) }),
  });

async function measured(
  name: string,
  floor: number,
  route: string,
  tokensInTurn?: readonly string[],
): Promise<Figures> {
  const bearers = tokensInTurn ? tokensInTurn.map((each) => `Bearer ${each}`) : `Bearer ${token}`;
  return compare({
    name,
    unit: 'requests/s',
    baseline: 'the same handler without a guard',
    floor,
    // Short ones, so that baseline and subject see the same machine.
    rounds: 7,
    measureBaseline: () => load('unguarded', bearers),
    measure: () => load(route, bearers),
  });
}

const guard = await measured('Guard: a token that Cloud Tasks sends again', 0.85, 'guarded');
const google = await measured("Google's library with cached keys, the same token", 0, 'google');
const fresh = await measured('Guard: each token for the first time', 0, 'guarded', tokens);
child.kill();
await once(child, 'exit');
await writeResults('guard', { ...guard, google, fresh });

/** Cases 42 to 44: assertions and API keys, where tasks are made. */
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { KeyRecord } from '../../src/modules/producer/api-key.js';
import { makeKey } from '../../src/modules/producer/api-key.js';
import { writeKeyFile } from '../../src/modules/producer/key-file.js';
import { MINUTE } from '../../src/engine/time.js';
import { VirtualClock } from '../support/virtual-clock.js';
import type { Claims } from '../support/test-issuer.js';
import type { HeaderLines } from './abused-app.js';
import { AbusedApp, PRODUCER_ACCOUNT, PRODUCER_AUDIENCE } from './abused-app.js';
import { expectNoTask, expectUntouched } from './refusals.js';
import { assertNoSecrets, keepSecret, keepSignature } from './secrets.js';

const ENQUEUE = '/add_task_app_engine';
/** Ten thousand requests, on a machine that may be busy. */
const LONG = 300_000;

let app: AbusedApp;
const enqueue = (headers: HeaderLines, path = ENQUEUE) => app.send(path, headers, '{}');

describe('42. behind Identity-Aware Proxy', () => {
  beforeAll(async () => {
    app = await AbusedApp.start({ mode: 'local', producer: 'iap' });
  });
  afterAll(() => app.close());

  const asserted = (assertion: string): HeaderLines => {
    keepSignature(assertion);
    return [['X-Goog-IAP-JWT-Assertion', assertion]];
  };

  test('42. a good assertion makes a task', async () => {
    expect((await enqueue(asserted(app.assertion()))).status).toBe(202);
    const [made] = await app.tasks();
    await app.app.api.deleteTask({ name: made?.name ?? '' });
    app.reached.length = 0;
  });

  test.each<[string, HeaderLines]>([
    ['no assertion', []],
    ['an empty one', [['X-Goog-IAP-JWT-Assertion', '']]],
    [
      'the headers that are not signed',
      [
        ['X-Goog-Authenticated-User-Email', `accounts.google.com:${PRODUCER_ACCOUNT}`],
        ['X-Goog-Authenticated-User-Id', 'accounts.google.com:1'],
      ],
    ],
  ])('42. %s', async (_, headers) => {
    await expectNoTask(app, enqueue(headers));
  });

  test('42. an assertion in another header, and two of them', async () => {
    const [good = ['', ''] as const] = asserted(app.assertion());
    await expectNoTask(app, enqueue([['Authorization', `Bearer ${good[1]}`]]));
    await expectNoTask(app, enqueue([['X_Goog_IAP_JWT_Assertion', good[1]]]));
    await expectNoTask(app, enqueue([good, good]));
  });

  test('42. an ID token of the same claims, signed RS256', async () => {
    const claims = { ...app.claims({ aud: PRODUCER_AUDIENCE, email: PRODUCER_ACCOUNT }) };
    const iss = 'https://cloud.google.com/iap';
    for (const header of [{}, { alg: 'ES256' }, { kid: 'proxy-key' }]) {
      const token = app.issuer.first.sign({ ...claims, iss, exp: app.now + 600 }, header);
      await expectNoTask(app, enqueue(asserted(token)));
    }
  });

  test.each<[string, 401 | 403, (now: number) => Claims]>([
    ['aud of another project', 401, () => ({ aud: '/projects/2/apps/demo' })],
    ['aud a list', 401, () => ({ aud: [PRODUCER_AUDIENCE] })],
    ['a life of 2 hours', 401, (now) => ({ exp: now + 7200 })],
    ['a life of 661 s', 401, (now) => ({ exp: now + 661 })],
    ['expired 31 s ago', 401, (now) => ({ iat: now - 600, exp: now - 31 })],
    ['iat 31 s ahead', 401, (now) => ({ iat: now + 31 })],
    ['iss of ID tokens', 401, () => ({ iss: 'https://accounts.google.com' })],
    ['no address', 403, () => ({ email: undefined })],
    ['another address', 403, () => ({ email: 'other@example.com' })],
  ])('42. %s: %i', async (_, status, changes) => {
    await expectNoTask(app, enqueue(asserted(app.assertion(changes(app.now)))), status);
  });
});

describe('43. with API keys', () => {
  const records = new Map<string, KeyRecord>();
  const clock = new VirtualClock();
  let revoked: string;
  beforeAll(async () => {
    app = await AbusedApp.start({ mode: 'local', clock });
    const made = makeKey({ client: 'left', external: false, rate: 600 }, new Date());
    revoked = made.key;
    const own = makeKey({ client: 'abused', external: true, rate: 60_000 }, new Date());
    records.set(made.record.id, { ...made.record, revoked: '2026-01-01T00:00:00Z' });
    records.set(own.record.id, own.record);
    writeKeyFile(app.keysFile, records);
    await clock.advance(MINUTE);
    app.apiKey = own.key;
    keepSecret(app.apiKey, 'the API key');
  });
  beforeEach(() => clock.advance(10 * MINUTE));
  afterAll(() => app.close());

  const withKey = (key: string): HeaderLines => [['X-API-Key', key]];

  test('43. a good one makes a task', async () => {
    expect((await enqueue(withKey(app.apiKey))).status).toBe(202);
    const [made] = await app.tasks();
    await app.app.api.deleteTask({ name: made?.name ?? '' });
    app.reached.length = 0;
  });

  test.each<[string, () => HeaderLines]>([
    ['none', () => []],
    ['an empty one', () => withKey('')],
    ['an unknown id', () => withKey(`nct_${'a'.repeat(12)}_${app.apiKey.slice(17)}`)],
    ['a wrong secret', () => withKey(`${app.apiKey.slice(0, 17)}${'b'.repeat(43)}`)],
    ['another case', () => withKey(app.apiKey.toUpperCase())],
    ['revoked', () => withKey(revoked)],
    ['twice', () => [...withKey(app.apiKey), ...withKey(app.apiKey)]],
    ['__proto__', () => withKey(`nct___proto______${'b'.repeat(43)}`)],
    ['as a bearer', () => [['Authorization', `Bearer ${app.apiKey}`]]],
  ])('43. %s', async (_, headers) => {
    await expectNoTask(app, enqueue(headers()));
  });

  test.each(['key', 'api_key', 'x-api-key', 'X-API-Key'])('43. in the query: %s', async (name) => {
    await expectNoTask(app, enqueue([], `${ENQUEUE}?${name}=${app.apiKey}`));
  });

  test(
    '43. 10,000 guesses: 401, then 429, and the right one is let in all the same',
    async () => {
      const id = app.apiKey.slice(0, 17);
      const counts = new Map<number, number>();
      for (let first = 0; first < 10_000; first += 200) {
        const answers = await Promise.all(
          Array.from({ length: 200 }, (_, index) =>
            enqueue(withKey(`${id}${String(first + index).padStart(43, 'x')}`)),
          ),
        );
        for (const { status, headers } of answers) {
          counts.set(status, (counts.get(status) ?? 0) + 1);
          if (status === 429) expect(headers['retry-after']).toMatch(/^\d+$/);
        }
      }
      expect(new Set(counts.keys())).toEqual(new Set([401, 429]));
      expect(counts.get(401)).toBeLessThanOrEqual(60);
      expectUntouched(app);
      assertNoSecrets(app.takeLog(), 'the log');
      expect((await enqueue(withKey(app.apiKey))).status).toBe(202);
    },
    LONG,
  );
});

test('43. an id that nobody has takes the same work as one whose secret is wrong', async () => {
  const crypto = await import('node:crypto');
  const done: string[] = [];
  // Time is no measure on a busy machine; what is done is.
  jest.unstable_mockModule('node:crypto', () => ({
    ...crypto,
    createHash: (algorithm: string) => {
      done.push(`hash ${algorithm}`);
      return crypto.createHash(algorithm);
    },
    timingSafeEqual: (one: Buffer, other: Buffer) => {
      done.push(`compare ${one.length} and ${other.length} bytes`);
      return crypto.timingSafeEqual(one, other);
    },
  }));
  jest.resetModules();
  const counted = await import('../../src/modules/producer/api-key.js');
  const { key, record } = makeKey({ client: 'c', external: false, rate: 1 }, new Date());
  const records = new Map([[record.id, record]]);
  const work = (tried: string) => {
    done.length = 0;
    expect(counted.recordOf(tried, records)).toBeUndefined();
    return [...done];
  };
  const wrong = work(`${key.slice(0, 17)}${'b'.repeat(43)}`);
  expect(wrong).toEqual(['hash sha256', 'compare 32 and 32 bytes']);
  expect(work(`nct_${'a'.repeat(12)}_${key.slice(17)}`)).toEqual(wrong);
  expect(work('no key at all')).toEqual(wrong);
  records.set(record.id, { ...record, revoked: '2026-01-01T00:00:00Z' });
  expect(work(key)).toEqual(wrong);
});

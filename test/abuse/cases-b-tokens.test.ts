/** Cases 13 to 41 and 44: tokens at the handlers, each made as it should not be. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createHmac } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { HOUR, MINUTE, SECOND } from '../../src/engine/time.js';
import { Loopback } from '../support/loopback.js';
import type { Claims } from '../support/test-issuer.js';
import { encode } from '../support/test-issuer.js';
import { VirtualClock } from '../support/virtual-clock.js';
import type { HeaderLines } from './abused-app.js';
import {
  AbusedApp,
  ACCOUNT,
  AUDIENCE,
  CRON_ACCOUNT,
  PRODUCER_ACCOUNT,
  PRODUCER_AUDIENCE,
} from './abused-app.js';
import { expectNoTask, expectRefused, expectUntouched } from './refusals.js';
import { keepSignature } from './secrets.js';

const SUBJECT = '112233445566778899000';
const WORK = '/abuse/work';
/** Ten thousand requests, on a machine that may be busy. */
const LONG = 300_000;

let app: AbusedApp;
let clock: VirtualClock;

async function start(options: Parameters<typeof AbusedApp.start>[0] = {}): Promise<void> {
  clock = new VirtualClock();
  app = await AbusedApp.start({ clock, ...options });
}

const bearer = (token: string): HeaderLines => [['Authorization', `Bearer ${token}`]];

/** With the status that this token gets; of one that is refused nothing may be seen. */
async function expectStatus(token: string, status: 200 | 401 | 403 | 503, path = WORK) {
  keepSignature(token);
  const answer = app.send(path, bearer(token));
  if (status !== 200) return expectRefused(app, answer, status);
  expect((await answer).status).toBe(200);
  expect(app.handled).toHaveLength(1);
  app.handled.length = 0;
  app.reached.length = 0;
}

/** Claims at this very moment, one of them left out. */
function without(name: string): string {
  const claims = Object.entries(app.claims()).filter(([claim]) => claim !== name);
  return app.issuer.first.sign(Object.fromEntries(claims));
}

describe('in mode oidc', () => {
  beforeAll(() => start());
  afterAll(() => app.close());

  test('a good token is let in', async () => {
    await expectStatus(app.token(), 200);
  });

  test.each<[string, string[]]>([
    ['no token', []],
    ['an empty header', ['']],
    ['an empty bearer', ['Bearer']],
    ['a bearer of blanks', ['Bearer    ']],
    ['basic', ['Basic dGFza3M6cGFzc3dvcmQ=']],
  ])('13. %s', async (_, values) => {
    const headers = values.map((value) => ['Authorization', value] as const);
    await expectRefused(app, app.send(WORK, headers));
  });

  test.each(['access_token=', 'authorization=Bearer%20'])('13. in the query: %s', async (query) => {
    await expectRefused(app, app.send(`${WORK}?${query}${app.token()}`));
  });

  test('13. in another header, or with another scheme', async () => {
    const token = app.token();
    for (const [name, value] of [
      ['Proxy-Authorization', `Bearer ${token}`],
      ['X-Authorization', `Bearer ${token}`],
      ['X-Serverless-Authorization', `Bearer ${token}`],
      ['Cookie', `access_token=${token}`],
      ['Authorization', token],
      ['Authorization', `Token ${token}`],
      ['Authorization', `Bearer  ${token}`],
      ['Authorization', `Bearer ${token}, Bearer ${token}`],
    ] as const) {
      await expectRefused(app, app.send(WORK, [[name, value]]));
    }
  });

  test('14. two headers, whichever is the good one', async () => {
    const [good, bad] = [...bearer(app.token()), ...bearer('x.y.z')];
    if (!good || !bad) throw new Error('There are no headers.');
    for (const both of [
      [good, bad],
      [bad, good],
      [good, good],
    ]) {
      await expectRefused(app, app.send(WORK, both));
    }
  });

  test.each<[string, Claims]>([
    ['15. alg none, with a signature', { alg: 'none' }],
    ['15. alg None', { alg: 'None' }],
    ['15. alg NONE', { alg: 'NONE' }],
    ['15. no alg', { alg: undefined }],
    ['15. alg a list', { alg: ['RS256'] }],
    ['17. alg HS256', { alg: 'HS256' }],
    ['17. alg ES256', { alg: 'ES256' }],
    ['17. alg RS512', { alg: 'RS512' }],
    ['17. alg PS256', { alg: 'PS256' }],
    ['17. alg rs256', { alg: 'rs256' }],
    ['19. kid __proto__', { kid: '__proto__' }],
    ['19. kid constructor', { kid: 'constructor' }],
    ['19. kid ../../x', { kid: '../../x' }],
    ['19. kid a number', { kid: 1 }],
    ['19. kid empty', { kid: '' }],
    ['19. kid missing', { kid: undefined }],
    ['19. kid of 10 KB', { kid: 'x'.repeat(10_000) }],
    ['19. kid of 129 characters', { kid: 'x'.repeat(129) }],
    ['21. crit', { crit: ['x'] }],
    ['21. crit b64', { crit: ['b64'], b64: true }],
    ['21. b64', { b64: false }],
    ['21. typ of another token', { typ: 'at+jwt' }],
  ])('%s', async (_, header) => {
    await expectStatus(app.token({}, header), 401);
  });

  test.each(['none', 'None', 'NONE', undefined])('15. alg %s and no signature', async (alg) => {
    const head = encode({ alg, typ: 'JWT', kid: app.issuer.first.id });
    const unsigned = `${head}.${encode(app.claims())}`;
    await expectStatus(`${unsigned}.`, 401);
    await expectStatus(unsigned, 401);
  });

  test('16. HS256 with the public key as its secret, as PEM and as JWK', async () => {
    const { id, publicPem, jwk } = app.issuer.first;
    const text = `${encode({ alg: 'HS256', typ: 'JWT', kid: id })}.${encode(app.claims())}`;
    for (const secret of [publicPem, publicPem.trim(), JSON.stringify(jwk), String(jwk['n'])]) {
      await expectStatus(
        `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`,
        401,
      );
    }
  });

  test('20. a key of its own, or where one is', async () => {
    let asked = 0;
    const loopback = new Loopback();
    const url = await loopback.http((_, response) => response.end(`{"keys": [${asked++}]}`));
    const { second } = app.issuer;
    const before = app.issuer.fetches;
    for (const header of [
      { jwk: second.jwk },
      { jku: url },
      { x5u: url },
      { x5c: [second.publicPem] },
    ]) {
      await expectStatus(second.sign(app.claims(), { kid: 'key-1', ...header }), 401);
      await expectStatus(app.token({}, header), 401);
    }
    await loopback.close();
    expect({ asked, fetches: app.issuer.fetches }).toEqual({ asked: 0, fetches: before });
  });

  test('22. a signature that is another, cut, longer, padded or followed by something', async () => {
    const token = app.token();
    const dot = token.lastIndexOf('.');
    const at = dot + 10;
    const flipped = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
    const others = [flipped, token.slice(0, -4), `${token}.x`, `${token}!!!!`, `${token}=`];
    const [head, claims, signature] = token.split('.') as [string, string, string];
    others.push(`${head}=.${claims}.${signature}`, `${head}.${claims}.`, `.${claims}.${signature}`);
    others.push(`${head}..${signature}`, `${claims}.${head}.${signature}`);
    others.push(app.issuer.second.sign(app.claims(), { kid: 'key-1' }));
    for (const other of others) await expectStatus(other, 401);
  });

  test.each<[string, 200 | 401, (now: number) => Claims]>([
    ['23. expired 61 s ago', 401, (now) => ({ iat: now - 3600, exp: now - 61 })],
    ['23. expired 30 s ago', 200, (now) => ({ iat: now - 3600, exp: now - 30 })],
    ['24. iat 61 s ahead', 401, (now) => ({ iat: now + 61 })],
    ['24. iat 59 s ahead', 200, (now) => ({ iat: now + 59 })],
    ['24. nbf an hour ahead', 401, (now) => ({ nbf: now + 3600 })],
    ['24. exp a day ahead', 401, (now) => ({ exp: now + 86_400 })],
    ['24. a life of 3,901 s', 401, (now) => ({ exp: now + 3901 })],
    ['24. a life of 3,900 s', 200, (now) => ({ exp: now + 3900 })],
    ['25. exp a string', 401, (now) => ({ exp: String(now + 3600) })],
    ['25. exp a list', 401, (now) => ({ exp: [now + 3600] })],
    ['25. exp NaN', 401, () => ({ exp: NaN })],
    ['25. exp negative', 401, () => ({ exp: -1 })],
    ['25. exp beyond all numbers', 401, () => ({ exp: 1e300 })],
    ['25. iat a string', 401, (now) => ({ iat: String(now) })],
    ['25. iat a list', 401, (now) => ({ iat: [now] })],
    ['25. iat negative', 401, () => ({ iat: -1 })],
    ['26. aud another', 401, () => ({ aud: 'https://other.example.com' })],
    ['26. aud with a slash', 401, () => ({ aud: `${AUDIENCE}/` })],
    ['26. aud in upper case', 401, () => ({ aud: AUDIENCE.toUpperCase() })],
    ['26. aud a list with ours', 401, () => ({ aud: [AUDIENCE] })],
    ['26. aud empty', 401, () => ({ aud: '' })],
    ['28. iss of another domain', 401, () => ({ iss: 'https://accounts.google.com.evil.io' })],
    ['28. iss with a slash', 401, () => ({ iss: `${app.issuer.url}/` })],
    ['28. iss by another scheme', 401, () => ({ iss: app.issuer.url.replace('http', 'https') })],
    ['28. iss Google, where it is another', 401, () => ({ iss: 'https://accounts.google.com' })],
    ['33. aud of the producer', 401, () => ({ aud: PRODUCER_AUDIENCE })],
  ])('%s: %i', async (_, status, changes) => {
    await expectStatus(app.token(changes(app.now)), status);
  });

  test.each(['exp', 'iat', 'aud', 'iss'])('25. 26. 28. no %s', async (name) => {
    await expectStatus(without(name), 401);
  });

  test.each<[string, Claims]>([
    ["29. another project's account", { email: 'tasks@other.iam.gserviceaccount.com' }],
    ['29. the account of another handler', { email: CRON_ACCOUNT }],
    ['30. email_verified false', { email_verified: false }],
    ['30. email_verified a text', { email_verified: 'true' }],
    ['30. email_verified a number', { email_verified: 1 }],
    ['30. azp in place of the address', { email: undefined, azp: ACCOUNT }],
    ['31. in another case', { email: ACCOUNT.toUpperCase() }],
    ['31. with a blank', { email: `${ACCOUNT} ` }],
    ['31. a look-alike', { email: ACCOUNT.replace('a', '\u0430') }],
    ['31. in a list', { email: [ACCOUNT] }],
  ])('%s: 403', async (_, changes) => {
    await expectStatus(app.token(changes), 403);
  });

  test.each(['email', 'email_verified'])('30. no %s: 403', async (name) => {
    await expectStatus(without(name), 403);
  });

  test('31. the address twice, in either order: 403', async () => {
    const { id } = app.issuer.first;
    const head = encode({ alg: 'RS256', typ: 'JWT', kid: id });
    const evil = '"email":"evil@other.example"';
    const good = `"email":"${ACCOUNT}"`;
    for (const emails of [`${evil},${good}`, `${good},${evil}`, `${good},${good}`]) {
      const claims = JSON.stringify(app.claims({ email: undefined })).replace('{', `{${emails},`);
      const text = `${head}.${Buffer.from(claims).toString('base64url')}`;
      await expectStatus(app.issuer.first.signText(text), 403);
    }
  });

  test('34. a token of 5 KB and one of 15 KB, before anything is done with it', async () => {
    await clock.advance(MINUTE);
    const before = app.issuer.fetches;
    for (const size of [3_400, 11_000]) {
      // A key that nobody knows would be fetched, were the token looked at.
      const token = app.issuer.first.sign(app.claims({ padding: 'x'.repeat(size) }), {
        kid: 'new',
      });
      await expectStatus(token, 401);
    }
    expect(app.issuer.fetches).toBe(before);
  });

  test.each<[string, unknown]>([
    ['null', null],
    ['a list', []],
    ['a text', 'claims'],
    ['a number', 1],
    ['nested 900 deep', JSON.parse(`${'['.repeat(900)}${']'.repeat(900)}`)],
  ])('35. claims that are %s', async (_, claims) => {
    await expectStatus(app.issuer.first.sign(claims), 401);
  });

  test('35. claims that are no JSON, no UTF-8, or nested 10,000 deep', async () => {
    const head = encode({ alg: 'RS256', typ: 'JWT', kid: app.issuer.first.id });
    for (const bytes of [
      Buffer.from('{"iss":'),
      Buffer.from([0x7b, 0xff, 0xfe, 0x7d]),
      Buffer.from('['.repeat(10_000)),
    ]) {
      await expectStatus(app.issuer.first.signText(`${head}.${bytes.toString('base64url')}`), 401);
    }
  });

  test('35. claims of 2 MB: what the server itself does not take in', async () => {
    const token = app.issuer.first.sign(app.claims({ padding: 'x'.repeat(2_000_000) }));
    const head = `POST ${WORK} HTTP/1.1\r\nHost: 127.0.0.1\r\n`;
    const answer = await app.raw(`${head}Authorization: Bearer ${token}\r\n\r\n`);
    // The connection may be gone before the answer was read.
    expect(answer.slice(0, 12)).toMatch(/^(?:HTTP\/1\.1 431)?$/);
    expectUntouched(app);
  });

  test('38. a signature that Cloud Run has removed', async () => {
    await expectStatus(app.unsigned(), 401);
  });
});

describe('27. an app without an audience does not start', () => {
  test.each(['handlers', 'producers'] as const)('of %s', async (whose) => {
    const auth = { mode: 'oidc', accounts: [ACCOUNT], audience: '' } as const;
    const starting =
      whose === 'handlers'
        ? AbusedApp.start({ changes: { auth } })
        : AbusedApp.start({ producer: 'oidc', variables: { PRODUCER_AUDIENCE: '' } });
    await expect(starting).rejects.toThrow(/audience/i);
  });

  test('of handlers, by accounts', async () => {
    const auth = { mode: 'oidc', accounts: [] } as const;
    await expect(AbusedApp.start({ changes: { auth } })).rejects.toMatchObject({
      field: 'auth.accounts',
    });
  });
});

test('28. both of Google’s own names are its', async () => {
  // Its keys are not to be had here, so the issuer is asked for by either name and not found.
  const { GoogleBackend } = await import('../../src/modules/cloud-tasks/google-backend.js');
  const backend = await GoogleBackend.connect({
    backend: 'google',
    project: 'demo',
    emulatorHost: '127.0.0.1:1',
  });
  expect(backend.proof.issuers).toEqual(['https://accounts.google.com', 'accounts.google.com']);
  await backend.close();
});

describe('32. an account with its id', () => {
  beforeAll(() => start({ variables: { OIDC_ACCOUNTS: `${ACCOUNT};sub=${SUBJECT}` } }));
  afterAll(() => app.close());

  test('the same: 200', async () => {
    await expectStatus(app.token({ sub: SUBJECT }), 200);
  });

  test.each(['112233445566778899001', `${SUBJECT} `, '', Number(SUBJECT), undefined, [SUBJECT]])(
    '32. sub %j: 403',
    async (sub) => {
      await expectStatus(app.token({ sub }), 403);
    },
  );
});

describe('33. tokens of the one side at the other', () => {
  beforeAll(() => start({ producer: 'oidc' }));
  afterAll(() => app.close());

  test('33. of handlers, where tasks are made', async () => {
    await expectNoTask(app, app.send('/add_task_app_engine', bearer(app.token()), '{}'));
  });

  test('33. of callers, at the handlers', async () => {
    const claims = { aud: PRODUCER_AUDIENCE, email: PRODUCER_ACCOUNT };
    await expectStatus(app.token(claims), 401);
  });

  test('33. of the other’s account, for the right audience', async () => {
    const claims = { aud: PRODUCER_AUDIENCE };
    await expectNoTask(app, app.send('/add_task_app_engine', bearer(app.token(claims)), '{}'), 403);
    await expectStatus(app.token({ email: PRODUCER_ACCOUNT }), 403);
  });
});

describe('the keys', () => {
  const failures: [string, (response: ServerResponse) => void][] = [
    ['answers 503', (response) => response.writeHead(503).end()],
    ['answers broken JSON', (response) => response.end('{"keys": [')],
    ['answers HTML', (response) => response.end('<html><body>Sorry')],
    ['answers nothing', (response) => response.end()],
    ['answers 5 MB', (response) => response.end('x'.repeat(5_000_000))],
    ['answers no keys', (response) => response.end('{"keys": []}')],
    ['hangs up', (response) => response.destroy()],
  ];
  beforeEach(() => start());
  afterEach(() => app.close());

  test(
    '18. 10,000 tokens of keys that nobody knows: one fetch a cool-down',
    async () => {
      await expectStatus(app.token(), 200);
      const before = app.issuer.fetches;
      await clock.advance(MINUTE);
      const [, claims, signature] = app.token().split('.') as [string, string, string];
      const guess = async (index: number) => {
        const head = encode({ alg: 'RS256', typ: 'JWT', kid: `made-up-${index}` });
        return (await app.send(WORK, bearer(`${head}.${claims}.${signature}`))).status;
      };
      const statuses = new Set<number>();
      for (let first = 0; first < 10_000; first += 100) {
        const some = await Promise.all(
          Array.from({ length: 100 }, (_, index) => guess(first + index)),
        );
        some.forEach((status) => statuses.add(status));
      }
      expect(statuses).toEqual(new Set([401]));
      expect(app.issuer.fetches).toBe(before + 1);
      expectUntouched(app);
    },
    LONG,
  );

  test.each(failures)('36. its address %s: tokens are good for a day', async (_, broken) => {
    await expectStatus(app.token(), 200);
    app.issuer.broken = broken;
    await clock.advance(2 * HOUR);
    await expectStatus(app.token(), 200);
    await clock.advance(21 * HOUR);
    await expectStatus(app.token(), 200);
    await clock.advance(2 * HOUR);
    await expectStatus(app.token(), 503);
  });

  test('37. a new one is found by the first token, an old one is none any more', async () => {
    await expectStatus(app.token(), 200);
    app.issuer.published = [app.issuer.second];
    await clock.advance(MINUTE);
    await expectStatus(app.issuer.second.sign(app.claims()), 200);
    await expectStatus(app.token({ nonce: 1 }), 401);
  });
});

describe('36. no key was ever had', () => {
  test.each([
    ['503', (response: ServerResponse) => response.writeHead(503).end()],
    ['HTML', (response: ServerResponse) => response.end('<html>')],
    ['5 MB', (response: ServerResponse) => response.end('x'.repeat(5_000_000))],
  ])('%s: nobody is let in, nobody is refused for good', async (_, broken) => {
    await start({ prepare: (issuer) => (issuer.broken = broken) });
    await expectStatus(app.token(), 503);
    app.issuer.broken = undefined;
    await clock.advance(SECOND);
    await expectStatus(app.token(), 200);
    await app.close();
  });
});

describe('in mode cloud-run-iam', () => {
  beforeAll(() => start({ mode: 'cloud-run-iam' }));
  afterAll(() => app.close());

  test('38. a signature that was removed: 200', async () => {
    await expectStatus(app.unsigned(), 200);
  });

  test.each<[string, 401 | 403, Claims]>([
    ['another audience', 401, { aud: 'https://else' }],
    ['another issuer', 401, { iss: 'https://evil.io' }],
    ['expired', 401, { iat: 0, exp: 3600 }],
    ['another account', 403, { email: 'other@example.com' }],
    ['an address that is not verified', 403, { email_verified: false }],
  ])('38. a signature that was removed, and %s: %i', async (_, status, changes) => {
    await expectStatus(app.unsigned(changes), status);
  });

  test('39. the identity is that of X-Serverless-Authorization', async () => {
    const other = app.unsigned({ email: 'other@example.com' });
    const send = (authorization: string, checked: string) =>
      app.send(WORK, [
        ['Authorization', `Bearer ${authorization}`],
        ['X-Serverless-Authorization', checked],
      ]);
    await expectRefused(app, send(app.unsigned(), `Bearer ${other}`), 403);
    await expectRefused(app, send(app.unsigned(), 'Bearer '), 401);
    await expectRefused(app, send(app.unsigned(), ''), 401);
    expect((await send(other, `Bearer ${app.unsigned()}`)).status).toBe(200);
    app.handled.length = 0;
    app.reached.length = 0;
  });

  test('39. two X-Serverless-Authorization are none', async () => {
    const one = ['X-Serverless-Authorization', `Bearer ${app.unsigned()}`] as const;
    await expectRefused(app, app.send(WORK, [one, one]));
  });

  test.each([
    'signature_removed_by_google',
    'SIGNATURE_REMOVED_BY_GOOGLE_',
    'SIGNATURE_REMOVED_BY_GOOGLE.x',
    'xSIGNATURE_REMOVED_BY_GOOGLE',
    'SIGNATURE_REMOVED',
    '',
  ])('41. %j in place of a signature', async (marker) => {
    await expectStatus(app.unsigned({}, marker), 401);
  });

  test('41. a signature that does not hold', async () => {
    await expectStatus(app.issuer.second.sign(app.claims(), { kid: 'key-1' }), 401);
  });
});

describe('40. in mode cloud-run-iam', () => {
  afterEach(() => app.close());

  test.each(['open', 200, 302, 404, 500] as const)(
    'strangers are answered %s: no handler is served',
    async (frontEnd) => {
      await start({ mode: 'cloud-run-iam', frontEnd });
      await expectStatus(app.unsigned(), 503);
      await expectStatus(app.token(), 503);
    },
  );
});

test.each([
  ['nowhere', { K_SERVICE: '' }],
  ['on App Engine', { K_SERVICE: '', GAE_ENV: 'standard' }],
])('40. mode cloud-run-iam, %s: the app does not start', async (_, variables) => {
  const starting = AbusedApp.start({ mode: 'cloud-run-iam', variables });
  await expect(starting).rejects.toMatchObject({ setting: 'AUTH_MODE' });
});

/** Which ID tokens prove who calls; the numbers are those of the abuse cases. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { MINUTE, SECOND } from '../../../src/engine/time.js';
import type { AllowedAccount } from '../../../src/modules/auth/auth-options.js';
import { KeySet } from '../../../src/modules/auth/key-set.js';
import { OidcVerifier } from '../../../src/modules/auth/oidc-verifier.js';
import type { Claims } from '../../support/test-issuer.js';
import { ACCOUNT, AUDIENCE, encode, TestIssuer } from '../../support/test-issuer.js';
import { VirtualClock } from '../../support/virtual-clock.js';

let issuer: TestIssuer;
let clock: VirtualClock;
let verifier: OidcVerifier;

beforeAll(async () => {
  issuer = await TestIssuer.start();
});
afterAll(() => issuer.close());

beforeEach(() => {
  clock = new VirtualClock();
  verifier = verifierFor([ACCOUNT]);
});

function verifierFor(accounts: readonly AllowedAccount[], signatureRemoved = false): OidcVerifier {
  const rules = { issuers: [issuer.url], audience: AUDIENCE, accounts, signatureRemoved };
  return new OidcVerifier(new KeySet({ jwksUrl: issuer.jwksUrl }, clock), rules, clock);
}

const now = () => clock.now() / SECOND;
const token = (changes: Claims = {}, header: Claims = {}) =>
  issuer.first.sign(issuer.claims(now(), changes), header);
const without = (name: string) => {
  const claims = Object.entries(issuer.claims(now()));
  return issuer.first.sign(Object.fromEntries(claims.filter(([claim]) => claim !== name)));
};

/** The status that the values of the `Authorization` header are answered with; 200 when let in. */
async function statusOf(...authorization: string[]): Promise<number> {
  try {
    await verifier.verify(authorization);
    return 200;
  } catch (error) {
    return (error as { getStatus(): number }).getStatus();
  }
}
const statusOfToken = (text: string) => statusOf(`Bearer ${text}`);

describe('a good token', () => {
  test('tells who calls', async () => {
    await expect(verifier.verify([`Bearer ${token()}`])).resolves.toEqual({
      email: ACCOUNT,
      subject: '112233445566778899000',
    });
  });

  test('is let in again until it expires, also from memory', async () => {
    const text = token();
    expect(await statusOfToken(text)).toBe(200);
    await clock.advance(60 * MINUTE + 59 * SECOND);
    expect(await statusOfToken(text)).toBe(200);
    await clock.advance(SECOND);
    expect(await statusOfToken(text)).toBe(401);
  });

  test.each([
    ['23: expired 30 s ago', { iat: -3600, exp: -30 }],
    ['24: issued 60 s ahead', { iat: 60 }],
    ['24: valid from 60 s ahead', { nbf: 60 }],
    ['an hour and five minutes long', { exp: 3900 }],
  ])('%s', async (_, times: Readonly<Record<string, number>>) => {
    const changes = Object.entries(times).map(([name, seconds]) => [name, now() + seconds]);
    expect(await statusOfToken(token(Object.fromEntries(changes) as Claims))).toBe(200);
  });
});

describe('a token that was verified', () => {
  afterEach(() => {
    issuer.published = [issuer.first];
  });

  test('is remembered for five minutes, and no longer', async () => {
    const text = token();
    expect(await statusOfToken(text)).toBe(200);
    issuer.published = [issuer.second];
    await clock.advance(5 * MINUTE - SECOND);
    // Its key is fetched anew for another, and is gone.
    expect(await statusOfToken(token({}, { kid: 'key-2' }))).toBe(401);
    expect(await statusOfToken(text)).toBe(200);
    await clock.advance(SECOND);
    expect(await statusOfToken(text)).toBe(401);
  });

  test('is forgotten for a thousand others', async () => {
    const first = token();
    expect(await statusOfToken(first)).toBe(200);
    const others = Array.from({ length: 1_000 }, (_, jti) => token({ jti }));
    for (const other of others) await statusOfToken(other);
    issuer.published = [issuer.second];
    await clock.advance(MINUTE);
    expect(await statusOfToken(token({}, { kid: 'key-2' }))).toBe(401);
    expect(await statusOfToken(others[0] ?? '')).toBe(200);
    expect(await statusOfToken(first)).toBe(401);
  });
});

describe('what is no token', () => {
  test.each([
    ['13: nothing', []],
    ['13: an empty one', ['Bearer ']],
    ['13: another scheme', ['Basic dXNlcjpwYXNz']],
    ['13: no scheme', ['eyJhbGciOiJSUzI1NiJ9.e30.c2ln']],
    ['two segments', ['Bearer a.b']],
    ['four segments', ['Bearer a.b.c.d']],
  ])('%s', async (_, authorization: string[]) => {
    expect(await statusOf(...authorization)).toBe(401);
  });

  test('34: one of 5 KB, however good it is', async () => {
    expect(await statusOfToken(token({ padding: 'x'.repeat(2_000) }))).toBe(200);
    expect(await statusOfToken(token({ padding: 'x'.repeat(3_000) }))).toBe(401);
  });

  test('14: a second Authorization header, whichever is the good one', async () => {
    const good = `Bearer ${token()}`;
    expect(await statusOf(good, 'Bearer x.y.z')).toBe(401);
    expect(await statusOf('Bearer x.y.z', good)).toBe(401);
    expect(await statusOf(good, good)).toBe(401);
  });
});

describe('a header that would choose how it is verified', () => {
  test.each<[string, Claims]>([
    ['15: alg none', { alg: 'none' }],
    ['15: alg NONE', { alg: 'NONE' }],
    ['15: no alg', { alg: undefined }],
    ['17: HS256 over an RS256 signature', { alg: 'HS256' }],
    ['17: ES256', { alg: 'ES256' }],
    ['17: RS512', { alg: 'RS512' }],
    ['19: kid __proto__', { kid: '__proto__' }],
    ['19: kid constructor', { kid: 'constructor' }],
    ['19: kid ../../x', { kid: '../../x' }],
    ['19: kid a number', { kid: 1 }],
    ['19: kid too long', { kid: 'x'.repeat(129) }],
    ['19: no kid', { kid: undefined }],
    ['20: jwk', { jwk: { kty: 'RSA' } }],
    ['20: jku', { jku: 'https://evil.example/keys' }],
    ['20: x5u', { x5u: 'https://evil.example/cert' }],
    ['20: x5c', { x5c: [] }],
    ['21: crit', { crit: ['x'] }],
    ['21: b64', { b64: false }],
    ['typ at+jwt', { typ: 'at+jwt' }],
  ])('%s', async (_, header) => {
    expect(await statusOfToken(token({}, header))).toBe(401);
  });

  test('17: the log says which algorithm it was', async () => {
    const text = token({}, { alg: 'HS256' });
    await expect(verifier.verify([`Bearer ${text}`])).rejects.toMatchObject({
      reason: "the token's algorithm is 'HS256', not RS256",
    });
  });

  test('19: the id of a key is no text of any length, also where it is the right one', async () => {
    for (const [length, status] of [
      [128, 200],
      [129, 401],
    ] as const) {
      const id = 'k'.repeat(length);
      issuer.broken = (response) =>
        response.end(JSON.stringify({ keys: [{ ...issuer.first.jwk, kid: id }] }));
      verifier = verifierFor([ACCOUNT]);
      expect(await statusOfToken(token({}, { kid: id }))).toBe(status);
    }
    issuer.broken = undefined;
  });

  test('15: no signature at all', async () => {
    const text = `${encode({ alg: 'none' })}.${encode(issuer.claims(now()))}.`;
    expect(await statusOfToken(text)).toBe(401);
  });

  test('16: HS256 with the public key as the secret', async () => {
    const head = encode({ alg: 'HS256', typ: 'JWT', kid: issuer.first.id });
    const text = `${head}.${encode(issuer.claims(now()))}`;
    const mac = createHmac('sha256', issuer.first.publicPem).update(text).digest('base64url');
    expect(await statusOfToken(`${text}.${mac}`)).toBe(401);
  });
});

describe('a signature', () => {
  test("22: of another's key under a known id", async () => {
    const text = issuer.second.sign(issuer.claims(now()), { kid: issuer.first.id });
    expect(await statusOfToken(text)).toBe(401);
  });

  test('22: cut, flipped, padded, followed by something', async () => {
    const text = token();
    const dot = text.lastIndexOf('.');
    const flipped = text[dot + 10] === 'A' ? 'B' : 'A';
    for (const wrong of [
      text.slice(0, -4),
      text.slice(0, dot + 10) + flipped + text.slice(dot + 11),
      `${text}=`,
      `${text}!!!!`,
      `${text}.x`,
      `${text} x`,
    ]) {
      expect(await statusOfToken(wrong)).toBe(401);
    }
  });

  test('22: is written in one way, though other letters say the same bits', async () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const text = token();
    const last = letters.indexOf(text.slice(-1));
    // Of the last letter, two of six bits belong to the 256 bytes.
    const twin = text.slice(0, -1) + letters.charAt(last + 1);
    expect(Buffer.from(twin.slice(-342), 'base64url')).toEqual(
      Buffer.from(text.slice(-342), 'base64url'),
    );
    expect(await statusOfToken(twin)).toBe(401);
    expect(await statusOfToken(text)).toBe(200);
  });

  test('41: that was removed counts where that is told, and as it is written', async () => {
    const [head, claims] = token().split('.') as [string, string];
    const removed = (marker: string) => `${head}.${claims}.${marker}`;
    expect(await statusOfToken(removed('SIGNATURE_REMOVED_BY_GOOGLE'))).toBe(401);
    verifier = verifierFor([ACCOUNT], true);
    expect(await statusOfToken(removed('SIGNATURE_REMOVED_BY_GOOGLE'))).toBe(200);
    for (const marker of ['signature_removed_by_google', 'SIGNATURE_REMOVED_BY_GOOGLE_', 'x']) {
      expect(await statusOfToken(removed(marker))).toBe(401);
    }
  });

  test('of other claims', async () => {
    const [head = '', , signature = ''] = token().split('.');
    const claims = encode(issuer.claims(now(), { email: 'other@example.com' }));
    expect(await statusOfToken(`${head}.${claims}.${signature}`)).toBe(401);
  });
});

describe('claims', () => {
  test.each<[string, (at: number) => Claims]>([
    ['23: expired 60 s ago', (at) => ({ iat: at - 3600, exp: at - 60 })],
    ['24: issued 61 s ahead', (at) => ({ iat: at + 61 })],
    ['24: valid from an hour ahead', (at) => ({ nbf: at + 3600 })],
    ['24: a day long', (at) => ({ exp: at + 86_400 })],
    ['25: exp a string', (at) => ({ exp: String(at + 3600) })],
    ['25: exp a list', (at) => ({ exp: [at + 3600] })],
    ['25: exp null, as NaN is written', () => ({ exp: NaN })],
    ['25: exp negative', () => ({ exp: -1 })],
    ['25: iat a string', (at) => ({ iat: String(at) })],
    ['25: iat negative', () => ({ iat: -1 })],
    ['25: nbf a string', (at) => ({ nbf: String(at) })],
    ['26: another audience', () => ({ aud: 'https://other.example.com' })],
    ['26: with a slash', () => ({ aud: `${AUDIENCE}/` })],
    ['26: upper case', () => ({ aud: AUDIENCE.toUpperCase() })],
    ['26: a list with ours', () => ({ aud: [AUDIENCE] })],
    ['26: empty', () => ({ aud: '' })],
    ['28: a longer issuer', () => ({ iss: `${issuer.url}.evil.example` })],
    ['28: an issuer with a slash', () => ({ iss: `${issuer.url}/` })],
  ])('%s: 401', async (_, changes) => {
    expect(await statusOfToken(token(changes(now())))).toBe(401);
  });

  test.each(['exp', 'iat', 'aud', 'iss'])('without %s: 401', async (name) => {
    expect(await statusOfToken(without(name))).toBe(401);
  });

  test.each<[string, Claims]>([
    ["29: another project's account", { email: 'tasks@other.iam.gserviceaccount.com' }],
    ['30: not verified', { email_verified: false }],
    ['30: verified by a text', { email_verified: 'true' }],
    ['31: another case', { email: ACCOUNT.toUpperCase() }],
    ['31: a blank after it', { email: `${ACCOUNT} ` }],
    ['31: a look-alike', { email: ACCOUNT.replace('a', '\u0430') }],
    ['a list of addresses', { email: [ACCOUNT] }],
  ])('%s: 403', async (_, changes) => {
    expect(await statusOfToken(token(changes))).toBe(403);
  });

  test.each(['email', 'email_verified'])('30: without %s: 403', async (name) => {
    expect(await statusOfToken(without(name))).toBe(403);
  });

  test.each([
    ['31: the address twice', `"email": "other@example.com", `],
    ['31: the address twice, once with an escape', '"e\\u006dail": "other@example.com", '],
    ['31: another claim twice', '"x": "{\\"", "x" : [1], '],
  ])('%s: 403', async (_, first) => {
    const claims = JSON.stringify(issuer.claims(now())).replace('{', `{${first}`);
    const head = encode({ alg: 'RS256', typ: 'JWT', kid: issuer.first.id });
    const text = `${head}.${Buffer.from(claims).toString('base64url')}`;
    expect(await statusOfToken(issuer.first.signText(text))).toBe(403);
  });

  test('a name that comes again deeper down is another one', async () => {
    const deeper = { google: { email: 'x', aud: ['{', { email: 'y' }] } };
    expect(await statusOfToken(token(deeper))).toBe(200);
  });

  describe('of an account with its id', () => {
    const subject = '112233445566778899000';
    const email = ACCOUNT;

    test.each<[string, number, readonly AllowedAccount[]]>([
      ['the same', 200, [{ email, subject }]],
      ['32: another', 403, [{ email, subject: '99' }]],
      [
        'one of two',
        200,
        [
          { email, subject: '99' },
          { email, subject },
        ],
      ],
      ['the same, and none', 200, [{ email, subject }, email]],
      ['32: another, and none', 403, [email, { email, subject: '99' }]],
      ['32: the same of another address', 403, [{ email: 'other@example.com', subject }]],
    ])('%s: %i', async (_, status, accounts) => {
      verifier = verifierFor(accounts);
      expect(await statusOfToken(token())).toBe(status);
    });

    test('32: a token without one, or with one that is no text: 403', async () => {
      verifier = verifierFor([{ email, subject }]);
      expect(await statusOfToken(without('sub'))).toBe(403);
      expect(await statusOfToken(token({ sub: Number(subject) }))).toBe(403);
    });
  });

  test.each([
    ['null', null],
    ['a list', []],
    ['a text', 'x'],
  ])('35: %s in their place: 401', async (_, claims) => {
    expect(await statusOfToken(issuer.first.sign(claims))).toBe(401);
  });

  test('35: nested 400 deep: 401', async () => {
    const deep = '['.repeat(400) + ']'.repeat(400);
    expect(await statusOfToken(issuer.first.sign(JSON.parse(deep)))).toBe(401);
  });
});

test('44: a reason holds no part of the token', async () => {
  const text = token({ email: 'other@example.com' });
  const error = await verifier.verify([`Bearer ${text}`]).catch((refusal: unknown) => refusal);
  const shown = JSON.stringify([error, (error as { reason: string }).reason]);
  for (const part of text.split('.')) expect(shown).not.toContain(part.slice(0, 20));
});

import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { KeyObject } from 'node:crypto';
import { generateKeyPairSync } from 'node:crypto';
import { calculateJwkThumbprint, createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { EngineServer } from '../../src/adapters/engine-server.js';
import { isSigningKey, newSigningKey, OidcIssuer } from '../../src/adapters/oidc-issuer.js';
import { HOUR, MINUTE, SECOND } from '../../src/engine/time.js';
import { VirtualClock } from '../support/virtual-clock.js';

const EMAIL = 'tasks@local';
const AUDIENCE = 'https://app.example/tasks/a';

let privateKey: string;
let server: EngineServer;
let clock: VirtualClock;
let issuer: OidcIssuer;

beforeAll(async () => {
  privateKey = await newSigningKey();
  server = await EngineServer.listen({
    host: '127.0.0.1',
    port: 0,
    onError: (error) => {
      throw error;
    },
  });
});

afterAll(() => server.close());

beforeEach(async () => {
  clock = new VirtualClock();
  issuer = await OidcIssuer.create({ issuer: server.url, privateKey, clock });
  server.serve({
    'GET /.well-known/openid-configuration': () => ({ status: 200, json: issuer.discovery() }),
    'GET /jwks': () => ({ status: 200, json: issuer.jwks() }),
  });
});

/** As a handler would that knows only the issuer. */
async function verify(token: string, audience: string) {
  const response = await fetch(`${server.url}/.well-known/openid-configuration`);
  const { jwks_uri } = (await response.json()) as { jwks_uri: string };
  return jwtVerify(token, createRemoteJWKSet(new URL(jwks_uri)), {
    issuer: server.url,
    audience,
    algorithms: ['RS256'],
    currentDate: new Date(clock.now() / 1000),
  });
}

test('a token verifies against the published keys, with the claims of production', async () => {
  const token = await issuer.idToken({ email: EMAIL, audience: AUDIENCE });
  const { payload, protectedHeader } = await verify(token, AUDIENCE);
  const iat = Math.floor(clock.now() / SECOND);
  const { sub } = payload;
  expect(payload).toEqual({
    iss: server.url,
    aud: AUDIENCE,
    sub: expect.stringMatching(/^1\d{20}$/),
    azp: sub,
    email: EMAIL,
    email_verified: true,
    iat,
    exp: iat + 3600,
  });
  expect(protectedHeader).toEqual({ alg: 'RS256', kid: issuer.jwks().keys[0]?.kid, typ: 'JWT' });
});

test('is refused for another audience, and when its hour is over', async () => {
  const token = await issuer.idToken({ email: EMAIL, audience: AUDIENCE });
  await expect(verify(token, `${AUDIENCE}/`)).rejects.toMatchObject({ claim: 'aud' });
  await clock.advance(HOUR);
  await expect(verify(token, AUDIENCE)).rejects.toMatchObject({ code: 'ERR_JWT_EXPIRED' });
});

test('the subject goes with the e-mail', async () => {
  const subject = async (email: string, audience: string) =>
    decodeJwt(await issuer.idToken({ email, audience })).sub;
  const first = await subject(EMAIL, AUDIENCE);
  expect(await subject(EMAIL, 'https://other.example')).toBe(first);
  expect(await subject('other@local', AUDIENCE)).not.toBe(first);
  const again = await OidcIssuer.create({ issuer: 'http://x', privateKey, clock });
  expect(decodeJwt(await again.idToken({ email: EMAIL, audience: AUDIENCE })).sub).toBe(first);
});

describe('what is published', () => {
  test('the public key alone, under its RFC 7638 thumbprint', async () => {
    const [key, ...more] = issuer.jwks().keys;
    expect(more).toEqual([]);
    expect(Object.keys(key ?? {}).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
    expect(key).toMatchObject({ kty: 'RSA', alg: 'RS256', use: 'sig' });
    expect(key?.kid).toBe(await calculateJwkThumbprint(key ?? {}));
  });

  test('a discovery document whose addresses are the issuer’s', async () => {
    expect(issuer.discovery()).toEqual({
      issuer: server.url,
      jwks_uri: `${server.url}/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      claims_supported: ['aud', 'azp', 'email', 'email_verified', 'exp', 'iat', 'iss', 'sub'],
    });
    const slash = await OidcIssuer.create({ issuer: 'http://engine:8123/', privateKey, clock });
    expect(slash.discovery()).toMatchObject({
      issuer: 'http://engine:8123/',
      jwks_uri: 'http://engine:8123/jwks',
    });
  });
});

describe('a token is reused', () => {
  const ask = (audience = AUDIENCE, email = EMAIL) => issuer.idToken({ email, audience });

  test('for five minutes', async () => {
    const first = await ask();
    await clock.advance(5 * MINUTE - 1);
    expect(await ask()).toBe(first);
    await clock.advance(1);
    expect(await ask()).not.toBe(first);
  });

  test('by all who ask at once: one signature', async () => {
    const asked = Array.from({ length: 100 }, () => ask());
    expect(new Set(asked).size).toBe(1);
    expect(new Set(await Promise.all(asked)).size).toBe(1);
  });

  test('only for the same audience and e-mail, however they are put together', async () => {
    const tokens = [ask('a', 'b'), ask('b', 'a'), ask('","a', 'b'), ask('a', 'b","')];
    expect(new Set(await Promise.all(tokens)).size).toBe(4);
  });

  test('never when it is from the future, after the clock was set back', async () => {
    const past = new VirtualClock(clock.now());
    const moving = await OidcIssuer.create({
      issuer: server.url,
      privateKey,
      clock: {
        now: () => past.now() + offset,
        at: past.at.bind(past),
        after: past.after.bind(past),
      },
    });
    let offset = 0;
    const first = await moving.idToken({ email: EMAIL, audience: AUDIENCE });
    offset = -HOUR;
    const second = await moving.idToken({ email: EMAIL, audience: AUDIENCE });
    expect(decodeJwt(second).iat).toBe((decodeJwt(first).iat ?? 0) - 3600);
  });

  test('from a cache that keeps the last used thousand', async () => {
    const used = ask('used');
    const unused = ask('unused');
    for (let i = 0; i < 998; i++) void ask(`audience ${i}`);
    expect(ask('used')).toBe(used);
    void ask('one more');
    expect(ask('used')).toBe(used);
    expect(ask('unused')).not.toBe(unused);
    await unused;
  });
});

describe('a signing key', () => {
  test('is RSA of 2048 bits in PEM, new each time', async () => {
    expect(isSigningKey(privateKey)).toBe(true);
    expect(await newSigningKey()).not.toBe(privateKey);
  });

  const pem = (key: KeyObject) =>
    key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }).toString();
  test.each([
    ['nothing', ''],
    ['a word', 'key'],
    ['too short', pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey)],
    ['of another kind', pem(generateKeyPairSync('ed25519').privateKey)],
    ['public', pem(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey)],
  ])('is not %s', (_, text) => {
    expect(isSigningKey(text)).toBe(false);
  });
});

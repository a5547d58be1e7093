/** ID tokens by a service account's key, by impersonation and by Secret Manager: Google's endpoints are loopback ones. */
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { createVerify, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { SECOND } from '../../../src/engine/time.js';
import type { RelayCredentials } from '../../../src/modules/relay/id-tokens.js';
import { IdTokens } from '../../../src/modules/relay/id-tokens.js';
import { Loopback } from '../../support/loopback.js';
import { encode } from '../../support/test-issuer.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const AUDIENCE = 'https://api.example.com';
const ACCOUNT = 'caller@my-project.iam.gserviceaccount.com';
const TARGET = 'relay@my-project.iam.gserviceaccount.com';
const ACCESS_TOKEN = 'ya29.of-the-key';
const PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';
const SECRET = 'projects/my-project/secrets/service-caller';

const home = mkdtempSync(join(tmpdir(), 'id-tokens-'));
const file = join(home, 'key.json');
const before = { ...process.env };
const keys = [0, 1].map(() => generateKeyPairSync('rsa', { modulusLength: 2048 }));

let loopback: Loopback;
let google: string;
let clock: VirtualClock;
/** Every request: method, path, who asks, and what. */
let asked: { readonly path: string; readonly bearer?: string; readonly body: string }[];
/** Which of the keys is good, and which the secret has. */
let good: number;
let kept: number;
let hangs: string | undefined;
let onHang: () => void;
let leave: () => void;

beforeEach(async () => {
  loopback = new Loopback();
  clock = new VirtualClock();
  asked = [];
  good = kept = 0;
  hangs = undefined;
  google = await loopback.http((request, response) => void answer(request, response));
  writeFileSync(file, key(0));
  Object.assign(process.env, {
    GOOGLE_APPLICATION_CREDENTIALS: file,
    GOOGLE_CLOUD_PROJECT: 'my-project',
    HOME: home,
    CLOUDSDK_CONFIG: home,
  });
});
afterEach(async () => {
  await loopback.close();
  process.env = { ...before };
});
afterAll(() => rmSync(home, { recursive: true }));

test.each([
  ['a key of the settings', (): RelayCredentials => ({ kind: 'key', json: key(0) })],
  ['a key file of the default credentials', (): RelayCredentials => ({ kind: 'default' })],
])('%s signs for the audience, and for no scope beside it', async (_what, credentials) => {
  const token = await idTokens(credentials()).token(AUDIENCE);
  expect(claimsOf(token)).toMatchObject({ aud: AUDIENCE, email: ACCOUNT });
  expect(asked.map(({ path }) => path)).toEqual(['oauth2.googleapis.com POST /token']);
  const { exp, iat, ...claims } = assertionOf(asked[0]?.body ?? '');
  expect(claims).toEqual({
    iss: ACCOUNT,
    aud: 'https://oauth2.googleapis.com/token',
    target_audience: AUDIENCE,
  });
  expect(Number(exp) - Number(iat)).toBe(3600);
});

test('the account of the key itself is not impersonated', async () => {
  await idTokens({ kind: 'key', json: key(0) }, ACCOUNT).token(AUDIENCE);
  expect(asked.map(({ path }) => path)).toEqual(['oauth2.googleapis.com POST /token']);
});

test('another account is impersonated: its address is in the token, and nobody is between', async () => {
  const token = await idTokens({ kind: 'key', json: key(0) }, TARGET).token(AUDIENCE);
  expect(claimsOf(token)).toMatchObject({ aud: AUDIENCE, email: TARGET });
  const [first, second, ...more] = asked;
  expect(more).toEqual([]);
  expect(assertionOf(first?.body ?? '')).toMatchObject({ iss: ACCOUNT, scope: PLATFORM });
  expect(assertionOf(first?.body ?? '')).not.toHaveProperty('target_audience');
  expect(second).toEqual({
    path: `iamcredentials.googleapis.com POST /v1/projects/-/serviceAccounts/${TARGET}:generateIdToken`,
    bearer: ACCESS_TOKEN,
    body: JSON.stringify({ audience: AUDIENCE, includeEmail: true }),
  });
});

test('a key in Secret Manager: the latest version, read once', async () => {
  const tokens = idTokens({ kind: 'secret', name: SECRET });
  await tokens.token(AUDIENCE);
  await tokens.token('https://other.example.com');
  expect(asked.map(({ path }) => path)).toEqual([
    'oauth2.googleapis.com POST /token',
    `secretmanager.googleapis.com GET /v1/${SECRET}/versions/latest:access`,
    'oauth2.googleapis.com POST /token',
    'oauth2.googleapis.com POST /token',
  ]);
  expect(asked[1]?.bearer).toBe(ACCESS_TOKEN);
});

test('a key that was changed for another: one failure, which quotes nothing, then the new one', async () => {
  const tokens = idTokens({ kind: 'secret', name: SECRET });
  await tokens.token(AUDIENCE);
  kept = 1;
  const other = 'https://other.example.com';
  good = 1;
  const failure = await tokens.token(other).catch((error: unknown) => String(error));
  expect(failure).toBe(`NoIdToken: No ID token can be had for ${other} (400).`);
  // What reads the secret has another key, which stays good here.
  writeFileSync(file, key(1));
  expect(claimsOf(await tokens.token(other))).toMatchObject({ aud: other });
});

test.each([
  ['/token', undefined],
  ['/versions/latest:access', undefined],
  [':generateIdToken', TARGET],
])('%s that never answers: 10 seconds, and the next call asks anew', async (path, account) => {
  const tokens = idTokens({ kind: 'secret', name: SECRET }, account);
  const arrived = new Promise<void>((resolve) => (onHang = resolve));
  hangs = path;
  const failure = tokens.token(AUDIENCE).catch((error: unknown) => String(error));
  const beside = tokens.token(AUDIENCE).catch((error: unknown) => String(error));
  await arrived;
  await clock.advance(9 * SECOND);
  expect(clock.timers).toBe(1);
  await clock.advance(SECOND);
  const message = `NoIdToken: No ID token can be had for ${AUDIENCE}: minting it took longer than 10 seconds.`;
  await expect(failure).resolves.toBe(message);
  await expect(beside).resolves.toBe(message);
  hangs = undefined;
  expect(claimsOf(await tokens.token(AUDIENCE))).toMatchObject({ aud: AUDIENCE });
  expect(clock.timers).toBe(0);
  leave();
});

test("the embedded engine's own keys are waited for no longer", async () => {
  const never = { idToken: () => new Promise<never>(() => undefined) };
  const failure = new IdTokens({ kind: 'engine' }, never, clock)
    .token(AUDIENCE)
    .catch((error: unknown) => String(error));
  await clock.advance(10 * SECOND);
  await expect(failure).resolves.toContain('took longer than 10 seconds');
});

/** Where the library sends requests to Google, they go to this machine. */
function idTokens(credentials: RelayCredentials, serviceAccount?: string): IdTokens {
  const engine = { idToken: () => Promise.reject(new Error('no engine')) };
  return new IdTokens(credentials, engine, clock, {
    serviceAccount,
    transport: {
      adapter: (options, send) => {
        const { hostname, pathname } = options.url;
        const to = hostname === '127.0.0.1' ? pathname : `/${hostname}${pathname}`;
        return send({ ...options, url: new URL(to, google) });
      },
    },
  });
}

function key(index: number): string {
  const { privateKey } = keys[index] ?? {};
  return JSON.stringify({
    type: 'service_account',
    client_email: ACCOUNT,
    private_key: privateKey?.export({ type: 'pkcs8', format: 'pem' }),
  });
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await text(request);
  const [, host = '', path = ''] = /^\/([^/]+)(.*)$/.exec(request.url ?? '') ?? [];
  const [, bearer] = /^Bearer (.*)$/.exec(request.headers.authorization ?? '') ?? [];
  asked.push({
    path: `${host} ${request.method ?? ''} ${path}`,
    ...(bearer === undefined ? {} : { bearer }),
    body,
  });
  if (hangs !== undefined && path.endsWith(hangs)) {
    // In the end, so that nobody asks again behind the test's back.
    leave = () => void response.writeHead(404).end();
    onHang();
    return;
  }
  const reply = (status: number, json: object) =>
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(json));
  if (host === 'oauth2.googleapis.com') {
    const claims = assertionOf(body);
    const { target_audience: audience, scope } = claims;
    // As Google does: one of both.
    if (!isSigned(body, good) || (audience === undefined) === (scope === undefined)) {
      reply(400, { error: 'invalid_grant', error_description: `Invalid JWT: ${body}` });
    } else if (scope === undefined) reply(200, { id_token: idToken(audience, claims['iss']) });
    else reply(200, { access_token: ACCESS_TOKEN, expires_in: 3600, token_type: 'Bearer' });
  } else if (bearer !== ACCESS_TOKEN) reply(401, {});
  else if (host === 'secretmanager.googleapis.com') {
    reply(200, { payload: { data: Buffer.from(key(kept)).toString('base64') } });
  } else {
    const { audience } = JSON.parse(body) as { audience: string };
    reply(200, { token: idToken(audience, TARGET) });
  }
}

function idToken(audience: unknown, email: unknown): string {
  const exp = Math.floor(Date.now() / 1000) + 3600;
  return `${encode({ alg: 'RS256' })}.${encode({ aud: audience, email, exp })}.signature`;
}

function claimsOf(token = ''): Record<string, unknown> {
  const [, claims = ''] = token.split('.');
  return JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
}

function assertionOf(body: string): Record<string, unknown> {
  return claimsOf(new URLSearchParams(body).get('assertion') ?? '');
}

function isSigned(body: string, index: number): boolean {
  const assertion = new URLSearchParams(body).get('assertion') ?? '';
  const end = assertion.lastIndexOf('.');
  const { publicKey } = keys[index] ?? {};
  const verify = createVerify('sha256').update(assertion.slice(0, end));
  return publicKey !== undefined && verify.verify(publicKey, assertion.slice(end + 1), 'base64url');
}

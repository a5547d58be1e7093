/** Who may enqueue at the real app, by real requests; the numbers are those of the abuse cases. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { CryptoKey } from 'jose';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyRecord } from '../../../src/modules/producer/api-key.js';
import { makeKey } from '../../../src/modules/producer/api-key.js';
import { writeKeyFile } from '../../../src/modules/producer/key-file.js';
import { Loopback } from '../../support/loopback.js';
import { TestApp } from '../../support/test-app.js';
import type { Claims } from '../../support/test-issuer.js';
import { TestIssuer } from '../../support/test-issuer.js';

const folder = mkdtempSync(join(tmpdir(), 'producer-'));
const file = join(folder, 'keys.json');
afterAll(() => rmSync(folder, { recursive: true }));

const UNAUTHENTICATED = {
  statusCode: 401,
  code: 'UNAUTHENTICATED',
  message: 'Enqueuing takes a valid credential.',
};

let app: TestApp;
afterEach(() => app.close());

/** The status of an enqueuing request with these headers, and what else was answered. */
async function enqueue(
  headers: Readonly<Record<string, string>>,
  body: object = {},
  path = '/add_task_app_engine',
) {
  const all = { 'content-type': 'application/json', ...headers };
  return app.send('POST', path, body, all);
}

/** As it is, with a header that comes more than once. */
function statusOf(headers: Readonly<Record<string, string | string[]>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const url = `${app.url}/add_task_app_engine`;
    const request = httpRequest(url, { method: 'POST', agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    request.on('error', reject);
    for (const [name, value] of Object.entries(headers)) request.setHeader(name, value);
    request.setHeader('Content-Type', 'application/json').end('{}');
  });
}

async function refuses(headers: Readonly<Record<string, string>>, status = 401): Promise<void> {
  const answer = await enqueue(headers);
  expect(answer.status).toBe(status);
  if (status === 401) expect(answer.json).toEqual(UNAUTHENTICATED);
  expect(await app.tasks()).toEqual([]);
}

describe('with API keys', () => {
  const about = { client: 'billing', external: true, rate: 600 };
  let records: Map<string, KeyRecord>;

  function add(scopes: Partial<KeyRecord> = {}): string {
    const { key, record } = makeKey({ ...about, ...scopes }, new Date());
    records.set(record.id, { ...record, ...scopes });
    writeKeyFile(file, records);
    return key;
  }

  async function start(): Promise<void> {
    app = await TestApp.start({ PRODUCER_AUTH: 'api-key', PRODUCER_KEYS_FILE: file });
    await app.api.pauseQueue({ name: app.queueName() });
  }

  beforeEach(() => {
    records = new Map();
  });

  test('lets who has one enqueue', async () => {
    const key = add();
    await start();
    expect((await enqueue({ 'x-api-key': key })).status).toBe(202);
    expect(await app.tasks()).toHaveLength(1);
  });

  test.each([
    ['13: none', () => ({})],
    ['43: an empty one', () => ({ 'x-api-key': '' })],
    ['43: an unknown id', () => ({ 'x-api-key': `nct_${'a'.repeat(12)}_${'b'.repeat(43)}` })],
    [
      '43: a wrong secret',
      (key: string) => ({ 'x-api-key': `${key.slice(0, 17)}${'b'.repeat(43)}` }),
    ],
    ['43: another last letter', (key: string) => ({ 'x-api-key': `${key.slice(0, -2)}__` })],
    ['43: more letters', (key: string) => ({ 'x-api-key': `${key}A` })],
    ['43: fewer letters', (key: string) => ({ 'x-api-key': key.slice(0, -1) })],
    ['43: the id alone', (key: string) => ({ 'x-api-key': key.slice(0, 17) })],
    ['43: in upper case', (key: string) => ({ 'x-api-key': key.toUpperCase() })],
    [
      '43: the hash itself',
      (key: string) => ({
        'x-api-key': `${key.slice(0, 17)}${[...records.values()][0]?.hash ?? ''}`,
      }),
    ],
    ['43: another header', (key: string) => ({ authorization: `Bearer ${key}` })],
    ['43: 15 KB', () => ({ 'x-api-key': 'a'.repeat(15_000) })],
    ['43: __proto__', () => ({ 'x-api-key': `nct___proto______${'b'.repeat(43)}` })],
  ])('%s', async (_, headers: (key: string) => Record<string, string>) => {
    const key = add();
    await start();
    await refuses(headers(key));
    expect(JSON.stringify(app.lines)).toContain('Refused POST /add_task_app_engine');
    expect(JSON.stringify(app.lines)).not.toContain(key.slice(17, 30));
  });

  test('43: in the query, and twice', async () => {
    const key = add();
    await start();
    expect((await enqueue({}, {}, `/add_task_app_engine?x-api-key=${key}`)).status).toBe(401);
    expect(await statusOf({ 'X-API-Key': [key, key] })).toBe(401);
    expect(JSON.stringify(app.lines)).not.toContain(key.slice(17, 30));
  });

  test('43: revoked', async () => {
    const key = add({ revoked: '2026-01-31T00:00:00Z' });
    await start();
    await refuses({ 'x-api-key': key });
  });

  test('43: guesses end in 429, which slows down nobody who has a key', async () => {
    const key = add();
    await start();
    const statuses = new Map<number, number>();
    for (let guess = 0; guess < 300; guess++) {
      const wrong = `nct_${String(guess).padStart(12, '0')}_${'b'.repeat(43)}`;
      const { status } = await enqueue({ 'x-api-key': wrong });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect([...statuses.keys()]).toEqual([401, 429]);
    expect(statuses.get(401)).toBeLessThan(100);
    expect((await enqueue({ 'x-api-key': key })).status).toBe(202);
  });

  test('a key is good for so many requests a minute', async () => {
    const key = add({ rate: 2 });
    const other = add({ client: 'crm' });
    await start();
    expect((await enqueue({ 'x-api-key': key })).status).toBe(202);
    expect((await enqueue({ 'x-api-key': key })).status).toBe(202);
    const { status, headers, json } = await enqueue({ 'x-api-key': key });
    expect({ status, json }).toEqual({
      status: 429,
      json: { statusCode: 429, code: 'RESOURCE_EXHAUSTED', message: 'Too many requests.' },
    });
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(headers['retry-after'])).toBeLessThan(61);
    expect((await enqueue({ 'x-api-key': other })).status).toBe(202);
  });

  test.each<[string, Partial<KeyRecord>, object, string | undefined, string?]>([
    ['59: its queue', { queues: ['default'] }, {}, undefined],
    ['59: another queue', { queues: ['mail'] }, {}, 'queue'],
    [
      '59: another queue, of an external task',
      { queues: ['mail'] },
      { url: 'http://127.0.0.1:9/' },
      'queue',
      'external',
    ],
    ['its handler', { tasks: ['/tasks/example'] }, {}, undefined],
    [
      'its handler with a query',
      { tasks: ['/event-display'] },
      { relativeUri: '/event-display?a=1' },
      undefined,
    ],
    ['another handler', { tasks: ['/event-display'] }, {}, 'relativeUri'],
    [
      'its handler in capitals',
      { tasks: ['/event-display'] },
      { relativeUri: '/Event-Display' },
      'relativeUri',
    ],
    [
      'its handler with a slash',
      { tasks: ['/event-display'] },
      { relativeUri: '/event-display/' },
      'relativeUri',
    ],
    [
      'its handler’s path elsewhere',
      { tasks: ['/tasks/example'] },
      { service: 'other' },
      'service',
    ],
    ['its handler’s path elsewhere', { tasks: ['/tasks/example'] }, { version: 'v1' }, 'version'],
    ['another service, with no handlers named', {}, { service: 'other' }, undefined],
    ['external, which it may', {}, { url: 'http://127.0.0.1:9/' }, undefined, 'external'],
    [
      'external, which it may not',
      { external: false },
      { url: 'http://127.0.0.1:9/' },
      'url',
      'external',
    ],
  ])('scopes: %s', async (_, scopes, body, field, kind = 'app_engine') => {
    const key = add(scopes);
    await start();
    const answer = await enqueue({ 'x-api-key': key }, body, `/add_task_${kind}`);
    expect(answer.status).toBe(field === undefined ? 202 : 403);
    if (field !== undefined) {
      expect(answer.json).toMatchObject({ code: 'PERMISSION_DENIED', field });
      expect(await app.tasks()).toEqual([]);
    }
  });

  test.each(['/tasks/process-webhook', '/Tasks/Process-Webhook/', '/tasks/%70rocess-webhook'])(
    'who may not call others can’t have it done by %s either',
    async (relativeUri) => {
      const key = add({ external: false });
      await start();
      const payload = { url: 'http://127.0.0.1:9/', payload: 'Hello' };
      const answer = await enqueue({ 'x-api-key': key }, { relativeUri, payload });
      expect(answer.json).toMatchObject({ statusCode: 400, field: 'relativeUri' });
      expect(await app.tasks()).toEqual([]);
    },
  );
});

describe('with ID tokens of calling services', () => {
  const PRODUCER = 'https://producer.example.com';
  const CALLER = 'billing@project.iam.gserviceaccount.com';
  let issuer: TestIssuer;

  beforeEach(async () => {
    issuer = await TestIssuer.start();
    await start();
  });
  afterEach(() => issuer.close());

  async function start(): Promise<void> {
    app = await TestApp.start({
      PRODUCER_AUTH: 'oidc',
      PRODUCER_AUDIENCE: PRODUCER,
      PRODUCER_ACCOUNTS: CALLER,
      PRODUCER_ISSUER: issuer.url,
    });
    await app.api.pauseQueue({ name: app.queueName() });
  }

  const bearer = (changes: Claims = {}) => ({
    authorization: `Bearer ${issuer.first.sign(
      issuer.claims(Math.floor(Date.now() / 1000), { aud: PRODUCER, email: CALLER, ...changes }),
    )}`,
  });

  test('lets an account that is named enqueue, anywhere', async () => {
    expect((await enqueue(bearer())).status).toBe(202);
    const url = { url: 'http://127.0.0.1:9/' };
    expect((await enqueue(bearer(), url, '/add_task_external')).status).toBe(202);
  });

  test.each<[string, number, () => Record<string, string>]>([
    ['13: no token', 401, () => ({})],
    ['26: another audience', 401, () => bearer({ aud: 'https://else.example.com' })],
    ['33: a token for the handlers', 401, () => bearer({ aud: app.url })],
    ['28: another issuer', 401, () => bearer({ iss: 'https://accounts.google.com' })],
    ['23: expired', 401, () => bearer({ exp: Math.floor(Date.now() / 1000) - 61 })],
    ['29: another project’s account', 403, () => bearer({ email: 'x@other.example' })],
    ['30: no e-mail', 403, () => bearer({ email: undefined })],
    [
      '38: no signature',
      401,
      () => ({
        authorization: `${bearer().authorization.split('.').slice(0, 2).join('.')}.SIGNATURE_REMOVED_BY_GOOGLE`,
      }),
    ],
    ['42: IAP’s unsigned header', 401, () => ({ 'x-goog-authenticated-user-email': CALLER })],
  ])('%s: %i', async (_, status, headers) => {
    await refuses(headers(), status);
  });

  test('36: says 503 while there are no keys', async () => {
    // They are fetched ahead, so by now there are some.
    await app.close();
    issuer.broken = (response) => response.writeHead(500).end();
    await start();
    await refuses(bearer(), 503);
  });
});

describe('behind Identity-Aware Proxy', () => {
  const AUDIENCE = '/projects/123/apps/my-project';
  const server = new Loopback();
  let keysUrl: string;
  let privateKey: CryptoKey;
  let rsa: TestIssuer;

  beforeAll(async () => {
    const pair = await generateKeyPair('ES256', { extractable: true });
    privateKey = pair.privateKey;
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'ec', alg: 'ES256', use: 'sig' };
    rsa = await TestIssuer.start();
    const keys = [jwk, rsa.first.jwk];
    keysUrl = await server.http((_, response) => response.end(JSON.stringify({ keys })));
  });
  afterAll(() => Promise.all([server.close(), rsa.close()]));

  beforeEach(async () => {
    const producer = { kind: 'iap' as const, audience: AUDIENCE, keysUrl };
    app = await TestApp.start({}, {}, { producer });
    await app.api.pauseQueue({ name: app.queueName() });
  });

  const now = () => Math.floor(Date.now() / 1000);
  const claims = (changes: Claims) => ({
    iss: 'https://cloud.google.com/iap',
    aud: AUDIENCE,
    sub: 'accounts.google.com:112233',
    email: 'someone@example.com',
    iat: now(),
    exp: now() + 600,
    ...changes,
  });
  const assertion = async (changes: Claims = {}) => ({
    'x-goog-iap-jwt-assertion': await new SignJWT(claims(changes))
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid: 'ec' })
      .sign(privateKey),
  });

  test('lets whom the proxy lets through enqueue', async () => {
    expect((await enqueue(await assertion())).status).toBe(202);
    expect((await enqueue(await assertion({ iat: now() - 620, exp: now() - 20 }))).status).toBe(
      202,
    );
  });

  test.each<[string, number, () => Promise<Record<string, string>> | Record<string, string>]>([
    ['nothing', 401, () => ({})],
    [
      'the unsigned header alone',
      401,
      () => ({ 'x-goog-authenticated-user-email': 'accounts.google.com:someone@example.com' }),
    ],
    ['an RS256 token', 401, () => ({ 'x-goog-iap-jwt-assertion': rsa.first.sign(claims({})) })],
    [
      'a token in Authorization',
      401,
      async () => ({ authorization: `Bearer ${(await assertion())['x-goog-iap-jwt-assertion']}` }),
    ],
    ['another project number', 401, () => assertion({ aud: '/projects/124/apps/my-project' })],
    ['two audiences', 401, () => assertion({ aud: [AUDIENCE] })],
    ['a life of 2 h', 401, () => assertion({ exp: now() + 7200 })],
    ['expired 31 s ago', 401, () => assertion({ iat: now() - 600, exp: now() - 31 })],
    ['31 s early', 401, () => assertion({ iat: now() + 35, exp: now() + 300 })],
    ['another issuer', 401, () => assertion({ iss: 'https://accounts.google.com' })],
    ['no e-mail', 403, () => assertion({ email: undefined })],
    [
      'no signature',
      401,
      async () => ({
        'x-goog-iap-jwt-assertion': `${(await assertion())['x-goog-iap-jwt-assertion'].split('.').slice(0, 2).join('.')}.SIGNATURE_REMOVED_BY_GOOGLE`,
      }),
    ],
  ])('42: %s: %i', async (_, status, headers) => {
    await refuses(await headers(), status);
  });
});

/** The scanner finds what it is for, and lets through what only talks of it. */
import { expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeKey } from '../../src/modules/producer/api-key.js';
import { assertNoSecrets, assertNoSecretsInFolder, keepSecret, keepSignature } from './secrets.js';

const rights = { client: 'billing', external: false, rate: 600 };
const { key } = makeKey(rights, new Date(0));
const TOKEN = 'eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2lnbmF0dXJl';

test.each([
  ['a JSON Web Token', `Refused ${TOKEN}`],
  ['a JSON Web Token', 'cut off: eyJhbGciOiJSUzI1NiJ9.'],
  ['a bearer token', '{"a":"Bearer abcdefgh-1"}'],
  ['basic credentials', 'basic dXNlcjpwYXNzMQ=='],
  ['an API key', `unknown key ${key}`],
  ['an access token of Google', 'ya29.a0AfH6SMBx'],
  ['a webhook secret', 'whsec_MfKQ9r8GKYqrTwjU'],
  ['a signature', `v1=${'0a'.repeat(32)}`],
  ['a signature', `v1,${randomBytes(32).toString('base64')}`],
  ['a private key', '-----BEGIN PRIVATE KEY-----'],
  ['a cookie', 'Cookie: session=1'],
  ['a cookie', '{"set-cookie":["a=b"]}'],
  ['a header that says who calls', '{"authorization":"secret"}'],
  ['a header that says who calls', 'X-API-Key: secret'],
])('finds %s: %s', (kind, text) => {
  expect(() => assertNoSecrets(text, 'line 3')).toThrow(`line 3 holds ${kind} at `);
});

test.each([
  'Refused POST /tasks/example: no bearer token',
  'The bearer token is too long: 5,000 characters.',
  'authorization is required',
  "headers: 'Authorization' can't be set by a caller.",
  "headers: 'Cookie' can't be set by a caller.",
  'basic scaling',
  'v1=00',
  'key nct_abc is unknown',
  'Authorization: Bearer (token)',
  'X-API-Key: nct_abcdefghij01_(secret)',
])('lets through: %s', (text) => {
  assertNoSecrets(text);
});

test('finds a secret that it was told of, and any larger part of it, and shows none of it', () => {
  const secret = randomBytes(32).toString('hex');
  assertNoSecrets(`a ${secret}`);
  keepSecret(secret, "the engine's secret");
  for (const part of [secret, secret.slice(0, 24), secret.slice(20, 44), secret.slice(-24)]) {
    const error = thrownBy(() => assertNoSecrets(`a ${part} b`));
    expect(error).toContain("the text holds the engine's secret at ");
    expect(error).not.toContain(part);
  }
  keepSignature(`${TOKEN.slice(0, 20)}.b.${'s1G'.repeat(20)}`);
  expect(thrownBy(() => assertNoSecrets('xs1Gs1Gs1Gs1Gs1G'))).toContain('the signature of a token');
  expect(() => keepSecret('short')).toThrow('too few');
});

test('looks into the files of a store, records that were deleted included', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'secrets-'));
  try {
    const database = new DatabaseSync(join(folder, 'tasks.sqlite'));
    database.exec('CREATE TABLE tasks (body BLOB)');
    await writeFile(join(folder, 'engine-secret'), `Bearer ${TOKEN}`);
    assertNoSecretsInFolder(folder);
    database.prepare('INSERT INTO tasks VALUES (?)').run(Buffer.from(`x ${TOKEN}`));
    database.exec('DELETE FROM tasks');
    database.close();
    expect(() => assertNoSecretsInFolder(folder)).toThrow('tasks.sqlite holds a JSON Web Token');
  } finally {
    await rm(folder, { recursive: true });
  }
});

function thrownBy(code: () => void): string {
  try {
    code();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('Nothing was thrown.');
}

/** How often Google is asked for ID tokens: by its metadata server, which is a loopback one here. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { IdTokens } from '../../../src/modules/relay/id-tokens.js';
import { MetadataServer, tokenOf } from '../../support/metadata-server.js';
import { VirtualClock } from '../../support/virtual-clock.js';
const AUDIENCE = 'https://api.example.com';

/** Seconds that the tokens live. */
let life: number;
/** Audiences that tokens were asked for. */
let asked: string[];
let broken: ((response: ServerResponse) => void) | undefined;
let metadata: MetadataServer;

beforeEach(async () => {
  life = 3600;
  asked = [];
  broken = undefined;
  metadata = await MetadataServer.start((audience, response) => {
    asked.push(audience);
    if (broken) broken(response);
    else response.end(tokenOf({ aud: audience, jti: asked.length }, life));
  });
});
afterEach(() => metadata.close());

const idTokens = () =>
  new IdTokens(
    { kind: 'default' },
    { idToken: () => Promise.reject(new Error('no engine')) },
    new VirtualClock(),
  );

test('fifty at once: one request for each audience, and none while the token is good', async () => {
  const tokens = idTokens();
  const fifty = await Promise.all(Array.from({ length: 50 }, () => tokens.token(AUDIENCE)));
  expect(new Set(fifty).size).toBe(1);
  await tokens.token(AUDIENCE);
  expect(asked).toEqual([AUDIENCE]);
  await Promise.all([tokens.token('https://other.example.com'), tokens.token(AUDIENCE)]);
  expect(asked).toEqual([AUDIENCE, 'https://other.example.com']);
});

test('a token is asked for anew five minutes before its end', async () => {
  const tokens = idTokens();
  life = 299;
  await tokens.token(AUDIENCE);
  await tokens.token(AUDIENCE);
  expect(asked).toHaveLength(2);
  life = 320;
  await tokens.token(AUDIENCE);
  await tokens.token(AUDIENCE);
  expect(asked).toHaveLength(3);
});

test('a failure is told without what was answered, and the next call asks again', async () => {
  const tokens = idTokens();
  broken = (response) => response.writeHead(404).end('secret-of-the-metadata-server');
  const failure = await tokens.token(AUDIENCE).catch((error: unknown) => String(error));
  expect(failure).toContain(`No ID token can be had for ${AUDIENCE} (404).`);
  expect(failure).not.toContain('secret-of');
  broken = undefined;
  await expect(tokens.token(AUDIENCE)).resolves.toMatch(/^eyJ/);
});

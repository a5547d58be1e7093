/** How an issuer's keys are had: rarely, once for all, and for a day without the issuer. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../../src/engine/ports.js';
import { HOUR, MINUTE, SECOND } from '../../../src/engine/time.js';
import { jwksUrlOf, KeySet } from '../../../src/modules/auth/key-set.js';
import { TestIssuer } from '../../support/test-issuer.js';
import { VirtualClock } from '../../support/virtual-clock.js';

Logger.overrideLogger(false);

let issuer: TestIssuer;
let clock: VirtualClock;
let keys: KeySet;

beforeEach(async () => {
  issuer = await TestIssuer.start();
  clock = new VirtualClock();
  keys = new KeySet({ jwksUrl: issuer.jwksUrl }, clock);
});
afterEach(() => issuer.close());

/** `found`, or the status that the caller is answered with. */
async function find(id: string, set = keys): Promise<'found' | number> {
  try {
    await set.find(id);
    return 'found';
  } catch (error) {
    return (error as { getStatus(): number }).getStatus();
  }
}

describe('fetching', () => {
  test('happens once for all who wait', async () => {
    const found = await Promise.all(Array.from({ length: 500 }, () => find('key-1')));
    expect(new Set(found)).toEqual(new Set(['found']));
    expect(issuer.fetches).toBe(1);
  });

  test('18: happens once a cool-down for unknown keys', async () => {
    expect(await find('key-1')).toBe('found');
    for (let count = 0; count < 1_000; count++) expect(await find(`made-up-${count}`)).toBe(401);
    expect(issuer.fetches).toBe(1);
    await clock.advance(30 * SECOND);
    await Promise.all(Array.from({ length: 500 }, (_, count) => find(`again-${count}`)));
    expect(issuer.fetches).toBe(2);
  });

  test('37: finds a key that is new', async () => {
    expect(await find('key-1')).toBe('found');
    issuer.published = [issuer.second];
    await clock.advance(MINUTE);
    expect(await find('key-2')).toBe('found');
    expect(await find('key-1')).toBe(401);
    expect(issuer.fetches).toBe(2);
  });

  test('happens in the background before the keys grow old', async () => {
    expect(await find('key-1')).toBe('found');
    await clock.advance(48 * MINUTE);
    issuer.published = [issuer.first, issuer.second];
    expect(await find('key-1')).toBe('found');
    // That one didn't wait; this one does.
    expect(await find('key-2')).toBe('found');
    expect(issuer.fetches).toBe(2);
  });

  test('holds nobody up while the keys are still good', async () => {
    expect(await find('key-1')).toBe('found');
    await clock.advance(48 * MINUTE);
    const held = Promise.withResolvers<ServerResponse>();
    issuer.broken = held.resolve;
    const asked = held.promise.then(() => 'asked');
    expect(await Promise.race([find('key-1'), asked])).toBe('found');
    issuer.publish(await held.promise);
  });

  test('follows nobody elsewhere', async () => {
    const other = await TestIssuer.start();
    other.published = [issuer.first];
    issuer.broken = (response) => response.writeHead(302, { Location: other.jwksUrl }).end();
    expect(await find('key-1')).toBe(503);
    expect(other.fetches).toBe(0);
    await other.close();
  });

  test('happens ahead of the first token', async () => {
    keys.warmUp();
    expect(await find('key-1')).toBe('found');
    expect(issuer.fetches).toBe(1);
  });

  test('is not held up for hours by a clock that was set back', async () => {
    let back = 0;
    const adjusted: Clock = {
      now: () => clock.now() - back,
      at: (instant, callback) => clock.at(instant, callback),
      after: (duration, callback) => clock.after(duration, callback),
    };
    keys = new KeySet({ jwksUrl: issuer.jwksUrl }, adjusted);
    expect(await find('key-1')).toBe('found');
    issuer.published = [issuer.second];
    back = 9 * HOUR;
    expect(await find('key-2')).toBe('found');
  });

  test('goes where the issuer says its keys are', async () => {
    const discovered = new KeySet({ issuer: issuer.url }, clock);
    expect(await find('key-1', discovered)).toBe('found');
    const another = new KeySet({ issuer: `${issuer.url}/` }, clock);
    expect(await find('key-1', another)).toBe(503);
  });
});

describe('36: an issuer that fails', () => {
  const failures: [string, (response: ServerResponse) => void][] = [
    ['with 503', (response) => response.writeHead(503).end()],
    ['with HTML', (response) => response.end('<html>')],
    ['with no key set', (response) => response.end('{"keys": 1}')],
    ['with an empty key set', (response) => response.end('{"keys": []}')],
    ['with null', (response) => response.end('null')],
    [
      'with 5 MB',
      (response) =>
        response.end(JSON.stringify({ keys: [issuer.first.jwk], padding: 'x'.repeat(5_000_000) })),
    ],
    ['by a redirect', (response) => response.writeHead(302, { Location: '/' }).end()],
    ['by breaking off', (response) => response.destroy()],
  ];

  test.each(failures)('%s: 503 while there were never keys', async (_, broken) => {
    issuer.broken = broken;
    expect(await find('key-1')).toBe(503);
    issuer.broken = undefined;
    await clock.advance(SECOND);
    expect(await find('key-1')).toBe('found');
  });

  test.each(failures)('%s: the keys serve on for a day', async (_, broken) => {
    expect(await find('key-1')).toBe('found');
    issuer.broken = broken;
    await clock.advance(24 * HOUR - SECOND);
    expect(await find('key-1')).toBe('found');
    await clock.advance(MINUTE);
    expect(await find('key-1')).toBe(503);
  });

  test('is asked once a second by 500 callers', async () => {
    issuer.broken = (response) => response.writeHead(503).end();
    const ask = () => Promise.all(Array.from({ length: 500 }, () => find('key-1')));
    expect(new Set(await ask())).toEqual(new Set([503]));
    await ask();
    expect(issuer.fetches).toBe(1);
    await clock.advance(SECOND);
    await ask();
    expect(issuer.fetches).toBe(2);
  });
});

test('keys that are for something else are left out', async () => {
  issuer.published = [];
  const { first } = issuer;
  issuer.broken = (response) => {
    const others = [
      { ...first.jwk, kid: 'encrypts', use: 'enc' },
      { ...first.jwk, kid: 'other-algorithm', alg: 'RS512' },
      { kty: 'EC', kid: 'elliptic', crv: 'P-256', x: 'x', y: 'y' },
      { ...first.jwk, kid: 7 },
      { kty: 'RSA', kid: 'broken', n: 7 },
      null,
      first.jwk,
    ];
    response.end(JSON.stringify({ keys: others }));
  };
  expect(await find('key-1')).toBe('found');
  for (const id of ['encrypts', 'other-algorithm', 'elliptic', '7', 'broken']) {
    expect(await find(id)).toBe(401);
  }
});

describe('a discovery document', () => {
  const issuer = 'https://issuer.example';
  const named = (jwks: unknown) => ({ issuer, jwks_uri: jwks });

  test('says where the keys are', () => {
    expect(jwksUrlOf(named('https://keys.example/jwks'), issuer)).toBe('https://keys.example/jwks');
    const local = 'http://127.0.0.1:8123';
    expect(jwksUrlOf({ issuer: local, jwks_uri: `${local}/jwks` }, local)).toBe(`${local}/jwks`);
  });

  test.each<[string, unknown, RegExp]>([
    ['of an https issuer with keys over http', named('http://keys.example/jwks'), /isn't https/],
    ['of an https issuer with keys elsewhere', named('data:application/json,{}'), /isn't https/],
    ['without an address of keys', named(7), /names no jwks_uri/],
    ['of another issuer', { issuer: 'https://evil.example' }, /another issuer/],
    ['that is nothing', null, /another issuer/],
  ])('%s is refused', (_, document, problem) => {
    expect(() => jwksUrlOf(document, issuer)).toThrow(problem);
  });
});

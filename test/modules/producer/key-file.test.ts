/** The file of API keys: what it may hold, and what a change of it does to an app that runs. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SECOND } from '../../../src/engine/time.js';
import type { KeyRecord } from '../../../src/modules/producer/api-key.js';
import { makeKey } from '../../../src/modules/producer/api-key.js';
import { ApiKeyCheck } from '../../../src/modules/producer/api-key-check.js';
import { readKeyFile, writeKeyFile } from '../../../src/modules/producer/key-file.js';
import { RequestRate } from '../../../src/modules/producer/request-rate.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const folder = mkdtempSync(join(tmpdir(), 'keys-'));
const file = join(folder, 'keys.json');
beforeAll(() => {
  Logger.overrideLogger(false);
});
afterAll(() => rmSync(folder, { recursive: true }));

let key: string;
let record: KeyRecord;
const write = (...records: KeyRecord[]) =>
  writeKeyFile(file, new Map(records.map((each) => [each.id, each])));

beforeEach(() => {
  const about = { client: 'billing', external: false, rate: 600 };
  ({ key, record } = makeKey({ ...about, queues: ['mail'], tasks: ['/tasks/a'] }, new Date()));
});

test('comes back as it was written, whole, with nothing left beside', () => {
  write(record);
  expect([...readKeyFile(file).values()]).toEqual([record]);
  expect(readdirSync(folder)).toEqual(['keys.json']);
  expect(JSON.stringify(record)).not.toContain(key.slice(17));
});

describe('is refused, without the hash being shown', () => {
  const list = (changes: object) => JSON.stringify({ keys: [{ ...record, ...changes }] });

  test.each<[string, () => string, string]>([
    ['no JSON', () => '{"keys": [', 'expected JSON'],
    ['no list', () => '{"keys": {}}', "a list 'keys'"],
    ['null', () => 'null', "a list 'keys'"],
    ['a key that is no object', () => '{"keys": [1]}', 'keys[0]: no object'],
    ['an id', () => list({ id: '__proto__' }), 'keys[0].id'],
    ['a client', () => list({ client: '' }), 'keys[0].client'],
    ['a hash', () => list({ hash: 'secret' }), 'keys[0].hash'],
    ['an instant', () => list({ created: 'yesterday' }), 'keys[0].created'],
    ['false for not revoked', () => list({ revoked: false }), 'keys[0].revoked'],
    ['no queue', () => list({ queues: [] }), 'keys[0].queues'],
    ['a queue', () => list({ queues: ['a/b'] }), 'keys[0].queues'],
    ['a handler', () => list({ tasks: ['tasks/a'] }), 'keys[0].tasks'],
    ['a text for yes', () => list({ external: 'yes' }), 'keys[0].external'],
    ['no rate', () => list({ rate: 0 }), 'keys[0].rate'],
    ['an unknown field', () => list({ queue: 'mail' }), 'keys[0].queue:'],
    ['an id twice', () => JSON.stringify({ keys: [record, record] }), 'keys[1].id'],
    [
      '43: three active keys of one client',
      () => JSON.stringify({ keys: ['a', 'b', 'c'].map((end) => another(end)) }),
      'billing has 3 active keys',
    ],
  ])('%s', (_, text, problem) => {
    writeFileSync(file, text());
    expect(() => readKeyFile(file)).toThrow(problem);
    expect(() => readKeyFile(file)).not.toThrow(record.hash);
  });

  const another = (end: string): KeyRecord => ({ ...record, id: record.id.slice(0, 11) + end });
});

describe('43: while the app runs', () => {
  const ask = (check: ApiKeyCheck) => () =>
    check.check({ headersDistinct: { 'x-api-key': [key] } } as unknown as IncomingMessage);

  test('a revoked key is refused within 30 s', async () => {
    const clock = new VirtualClock();
    write(record);
    const check = new ApiKeyCheck(file, clock);
    expect(ask(check)()).toMatchObject({ scopes: { queues: ['mail'] } });
    write({ ...record, revoked: new Date().toISOString() });
    await clock.advance(29 * SECOND);
    expect(ask(check)()).toBeDefined();
    await clock.advance(SECOND);
    expect(ask(check)).toThrow(/./);
  });

  test('a file that breaks or goes changes nothing', async () => {
    const clock = new VirtualClock();
    write(record);
    const check = new ApiKeyCheck(file, clock);
    for (const change of [() => writeFileSync(file, '{'), () => rmSync(file)]) {
      change();
      await clock.advance(31 * SECOND);
      expect(ask(check)()).toBeDefined();
    }
  });
});

test('a rate gives a minute’s worth at once, then as time passes', () => {
  const rate = new RequestRate(3);
  expect([0, 0, 0, 0].map((at) => rate.take(at))).toEqual([0, 0, 0, 20]);
  expect(rate.take(15 * SECOND)).toBe(5);
  expect(rate.take(21 * SECOND)).toBe(0);
  expect(rate.take(21 * SECOND)).toBe(19);
});

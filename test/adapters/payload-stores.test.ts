/** What the stores of payloads do with a place that refuses, each in its own way. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openPayloadStore } from '../../src/host/open-payload-store.js';
import type { PayloadStore } from '../../src/foundation/payload-store.js';
import { StorageServer } from '../support/storage-server.js';

const DAY = '2030-01-31';
const payload = Buffer.from('payload');

describe('a folder', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'payloads-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('that is a file is refused when it is opened', async () => {
    const path = join(folder, 'file');
    await writeFile(path, '');
    await expect(openPayloadStore({ folder: path })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining(path),
    });
  });

  test('keeps payloads where only their owner can read them', async () => {
    const store = await openPayloadStore({ folder: join(folder, 'new') });
    const key = `${DAY}/${randomUUID()}`;
    await store.put(key, payload);
    const mode = async (path: string) => (await stat(join(folder, path))).mode & 0o777;
    expect(await mode('new')).toBe(0o700);
    expect(await mode(`new/${DAY}`)).toBe(0o700);
    expect(await mode(`new/${key}`)).toBe(0o600);
  });

  test('never writes over a payload, and leaves one alone that was there', async () => {
    const store = await openPayloadStore({ folder });
    const key = `${DAY}/${randomUUID()}`;
    await store.put(key, payload);
    await expect(store.put(key, Buffer.from('other'))).rejects.toMatchObject({
      message: expect.stringContaining('EEXIST'),
    });
    expect(Buffer.from((await store.get(key, 100)) ?? []).toString()).toBe('payload');
  });

  test('removes nothing that is not its own', async () => {
    await writeFile(join(folder, '2000-01-01.txt'), 'mine');
    const store = await openPayloadStore({ folder });
    expect(await store.removeBefore('2030-01-01')).toBe(0);
    expect(await readdir(folder)).toEqual(['2000-01-01.txt']);
  });
});

describe('a bucket', () => {
  let server: StorageServer;
  let store: PayloadStore;
  const key = `${DAY}/${randomUUID()}`;

  beforeEach(async () => {
    server = await StorageServer.listen('payloads');
    const place = { bucket: 'payloads', prefix: 'tasks', apiEndpoint: server.url };
    store = await openPayloadStore(place);
  });
  afterEach(() => server.close());

  test('holds them under its prefix', async () => {
    await store.put(key, payload);
    expect([...server.objects.keys()]).toEqual([`tasks/${key}`]);
  });

  test('leaves the objects of others alone', async () => {
    server.objects.set('other/2000-01-01/x', payload);
    expect(await store.removeBefore('2030-01-01')).toBe(0);
    expect(server.objects.size).toBe(1);
  });

  // In a process of its own, since Node's warnings don't reach a test.
  test('gives a large payload without a warning of Node in the log', async () => {
    server.objects.set(`tasks/${key}`, Buffer.alloc(1_000_000));
    const program = `
      const { openPayloadBucket } = await import('./src/adapters/payload-bucket.ts');
      const place = { bucket: 'payloads', prefix: 'tasks', apiEndpoint: '${server.url}' };
      console.log((await (await openPayloadBucket(place)).get('${key}', 2_000_000)).length);
    `;
    const typescript = ['--import', './test/support/run-typescript.mjs', '--input-type=module'];
    const printed = await promisify(execFile)(
      process.execPath,
      [...typescript, '--eval', program],
      { env: { PATH: process.env['PATH'] } },
    );
    expect(printed).toEqual({ stdout: '1000000\n', stderr: '' });
  });

  test('takes an object that is there already for its own, written by a try whose answer was lost', async () => {
    await store.put(key, payload);
    await store.put(key, payload);
    expect(server.requests).toHaveLength(2);
  });

  test.each([
    [403, 'PERMISSION_DENIED'],
    [401, 'UNAUTHENTICATED'],
    [400, 'FAILED_PRECONDITION'],
  ])('that answers %i is %s, whatever was asked', async (status, code) => {
    const asked = [
      () => store.put(key, payload),
      () => store.get(key, 100),
      () => store.copy(key, `2030-02-01/${randomUUID()}`),
      () => store.removeBefore(DAY),
    ];
    for (const ask of asked) {
      server.failures.push(status);
      await expect(ask()).rejects.toMatchObject({
        code,
        message: expect.stringContaining('gs://payloads/tasks'),
      });
    }
  });

  test('that is not there is NOT_FOUND to whoever writes', async () => {
    const elsewhere = await openPayloadStore({
      bucket: 'missing',
      prefix: 'tasks',
      apiEndpoint: server.url,
    });
    await expect(elsewhere.put(key, payload)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

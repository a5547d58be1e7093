/** Entities are synced from a real server into the app's database; the newest stays. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DELIVERY_SECRET, deliver } from '../../support/delivery.js';
import { JsonSource } from '../../support/json-source.js';
import { startPostgres } from '../../support/store-servers.js';
import type { Answer } from '../../support/test-app.js';
import { TestApp } from '../../support/test-app.js';

const folder = mkdtempSync(join(tmpdir(), 'nest-cloud-tasks-sync-'));
let source: JsonSource;
let app: TestApp;

beforeAll(async () => {
  source = await JsonSource.start();
  app = await TestApp.start({
    DATA_DIR: folder,
    ENGINE_SECRET: DELIVERY_SECRET,
    SYNC_SOURCE_URL: `${source.url}/entities/`,
  });
});
afterAll(async () => {
  await app.close();
  await source.close();
  rmSync(folder, { recursive: true, force: true });
});

function sync(id: unknown): Promise<Answer> {
  return deliver(app, { path: '/tasks/sync-data', body: { entity_id: id } });
}

async function result(id: string): Promise<unknown> {
  const { status, json } = await sync(id);
  expect(status).toBe(200);
  return (json as { result: unknown }).result;
}

function kept(id: string): Record<string, unknown> | undefined {
  const db = new DatabaseSync(join(folder, 'app.sqlite'), { readOnly: true });
  const columns = 'content, etag, gone_since';
  const row = db.prepare(`SELECT ${columns} FROM nest_cloud_tasks_entity WHERE id = ?`).get(id);
  db.close();
  return row;
}

test('changed, unchanged by its ETag, unchanged by its content, changed again', async () => {
  source.has('/entities/a', '{"name": "Ada"}', { etag: '"1"' });
  expect(await result('a')).toBe('changed');
  expect(kept('a')).toMatchObject({ content: '{"name": "Ada"}', etag: '"1"' });
  expect(await result('a')).toBe('unchanged');
  expect(source.requests.at(-1)?.headers['if-none-match']).toBe('"1"');
  source.has('/entities/a', '{"name": "Ada"}', { etag: '"2"' });
  expect(await result('a')).toBe('unchanged');
  source.has('/entities/a', '{"name": "Ada L."}');
  expect(await result('a')).toBe('changed');
});

test('by the endpoint', async () => {
  source.has('/entities/by-endpoint', '{}');
  const { status, json } = await app.send('POST', '/syncs', { entity_id: 'by-endpoint' });
  expect({ status, json }).toMatchObject({ status: 202, json: { queue: 'default' } });
  await app.logged('Entity by-endpoint is changed.');
});

test.each([
  ['version', '{"version": 9007199254740993}', '{"version": 9007199254740992}', {}],
  [
    'updated_at',
    '{"updated_at": "2026-01-02T00:00:00Z"}',
    '{"updated_at": "2026-01-01T23:59:59.999999Z"}',
    {},
  ],
  [
    'updatedAt',
    '{"updatedAt": "2026-01-01T00:00:00Z"}',
    '{"updatedAt": "2026-01-01T00:30:00+01:00"}',
    {},
  ],
])('an older %s that arrives later doesn’t overwrite', async (name, newer, older) => {
  source.has(`/entities/${name}`, newer);
  expect(await result(name)).toBe('changed');
  source.has(`/entities/${name}`, older);
  expect(await result(name)).toBe('older');
  expect(kept(name)).toMatchObject({ content: newer });
});

test('an older Last-Modified doesn’t overwrite either', async () => {
  source.has('/entities/lm', '{"n":2}', { 'last-modified': 'Wed, 21 Oct 2026 07:28:01 GMT' });
  expect(await result('lm')).toBe('changed');
  source.has('/entities/lm', '{"n":1}', { 'last-modified': 'Wed, 21 Oct 2026 07:28:00 GMT' });
  expect(await result('lm')).toBe('older');
});

test('without any version, an answer that is late doesn’t overwrite what was asked for after it', async () => {
  const late = Promise.withResolvers<ServerResponse>();
  source.answers.set('/entities/race', (_, response) => late.resolve(response));
  const slow = sync('race');
  const response = await late.promise;
  source.has('/entities/race', '{"n":2}');
  expect(await result('race')).toBe('changed');
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"n":1}');
  expect(await slow).toMatchObject({ json: { entity_id: 'race', result: 'older' } });
  expect(kept('race')).toMatchObject({ content: '{"n":2}' });
});

test('what the source has no more is marked, and comes back when it has it again', async () => {
  source.has('/entities/gone', '{"version": 3}', { etag: '"1"' });
  await result('gone');
  source.says('/entities/gone', 410);
  expect(await result('gone')).toBe('gone');
  expect(kept('gone')?.['gone_since']).toEqual(expect.any(Number));
  source.has('/entities/gone', '{"version": 1}', { etag: '"1"' });
  expect(await result('gone')).toBe('changed');
  expect(kept('gone')).toMatchObject({ gone_since: null, content: '{"version": 1}' });
  expect(await result('never-there')).toBe('gone');
});

describe('what isn’t an entity', () => {
  test.each([301, 304, 401, 403, 408, 429, 500, 503])('%i is tried again', async (status) => {
    source.says('/entities/bad', status, { location: '/entities/a' });
    const before = source.requests.length;
    expect((await sync('bad')).status).toBe(500);
    expect(source.requests).toHaveLength(before + 1);
  });

  test.each([
    ['HTML', 'text/html', '<p>'],
    ['broken JSON', 'application/json', '{'],
    ['an array', 'application/json', '[]'],
    ['bytes that are no text', 'application/json', '\xff'],
  ])('%s is tried again', async (_name, type, body) => {
    source.answers.set('/entities/bad', (_, response) =>
      response.writeHead(200, { 'content-type': type }).end(Buffer.from(body, 'latin1')),
    );
    expect((await sync('bad')).status).toBe(500);
    expect(kept('bad')).toBeUndefined();
  });

  test.each([
    ['a refusal for good', (response: ServerResponse) => response.writeHead(422).end()],
    [
      'more than 1 MiB',
      (response: ServerResponse) =>
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(`{"x":"${'x'.repeat(1024 * 1024)}"}`),
    ],
  ])('%s parks the task', async (_name, answer) => {
    source.answers.set('/entities/final', (_, response) => answer(response));
    app.lines.length = 0;
    await app.send('POST', '/syncs', { entity_id: 'final' });
    const { message } = await app.logged(/^Parked /);
    expect(message).toMatch(/permanent: The source/);
  });

  test('Retry-After is honoured by a successor', async () => {
    source.says('/entities/later', 503, { 'retry-after': '3600' });
    await app.api.pauseQueue({ name: app.queueName() });
    await app.send('POST', '/syncs', { entity_id: 'later', options: { taskId: 'asked' } });
    const body = { entity_id: 'later' };
    const answer = await deliver(app, { path: '/tasks/sync-data', body, taskId: 'asked' });
    expect(answer.status).toBe(200);
    const waits = (await app.tasks()).map((task) => (task.scheduleTime - task.createTime) / 1e6);
    expect(Math.max(...waits)).toBeGreaterThan(3590);
    await app.api.resumeQueue({ name: app.queueName() });
  });
});

describe('refused, before it becomes a task', () => {
  test.each([
    [{}, /got nothing/],
    [{ entity_id: '' }, /got ''/],
    [{ entity_id: '..' }, /got '..'/],
    [{ entity_id: '../admin' }, /got '..\/admin'/],
    [{ entity_id: 'a/b' }, /got 'a\/b'/],
    [{ entity_id: 'a?b' }, /got 'a\?b'/],
    [{ entity_id: '%2e%2e' }, /got '%2e%2e'/],
    [{ entity_id: 1.5 }, /got 1.5/],
    [{ entity_id: -1 }, /got -1/],
    [{ entity_id: ['a'] }, /got an array/],
    [{ entity_id: 'x'.repeat(201) }, /1 to 200/],
  ])('%j', async (body, message) => {
    const { status, json } = await app.send('POST', '/syncs', body);
    expect({ status, json }).toMatchObject({
      status: 400,
      json: { field: 'entity_id', message: expect.stringMatching(message) },
    });
  });
});

test('without a source the task fails, and says what to set', async () => {
  const none = await TestApp.start({ ENGINE_SECRET: DELIVERY_SECRET });
  await none.send('POST', '/syncs', { entity_id: 'a' });
  await none.logged(/Sync needs a source to read: set SYNC_SOURCE_URL/);
  await none.close();
});

test('into PostgreSQL just the same', async () => {
  const server = await startPostgres();
  const other = await TestApp.start({
    ENGINE_SECRET: DELIVERY_SECRET,
    SYNC_SOURCE_URL: `${source.url}/entities`,
    DATABASE_URL: server.url,
  });
  const once = async () =>
    (await deliver(other, { path: '/tasks/sync-data', body: { entity_id: 42 } })).json;
  source.has('/entities/42', '{"version": 2}', { etag: 'W/"x"' });
  expect(await once()).toEqual({ entity_id: '42', result: 'changed' });
  expect(await once()).toEqual({ entity_id: '42', result: 'unchanged' });
  source.has('/entities/42', '{"version": 1}');
  expect(await once()).toEqual({ entity_id: '42', result: 'older' });
  await other.close();
  await server.close();
}, 60_000);

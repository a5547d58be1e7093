/** What was kept for long enough is deleted and counted, by one run at a time. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AppRecords } from '../../../src/foundation/app-records.js';
import { DAY, HOUR, MILLISECOND, MINUTE } from '../../../src/engine/time.js';
import type { Journal } from '../../../src/foundation/journal.js';
import type { JobsMail } from '../../../src/modules/jobs/jobs-mail.js';
import { JOBS_MAIL } from '../../../src/modules/jobs/jobs-mail.js';
import { JOBS_RECORDS } from '../../../src/modules/jobs/jobs-options.js';
import { JOURNAL } from '../../../src/modules/journal/journal-options.js';
import { DELIVERY_SECRET, deliver } from '../../support/delivery.js';
import { TestApp } from '../../support/test-app.js';

const folder = mkdtempSync(join(tmpdir(), 'nest-cloud-tasks-cleanup-'));
const KEY = 'cleanup projects/local/locations/us-central1';
let app: TestApp;
let journal: Journal;
let records: AppRecords;
const now = Date.now() * MILLISECOND;

beforeAll(async () => {
  app = await TestApp.start({
    DATA_DIR: folder,
    ENGINE_SECRET: DELIVERY_SECRET,
    CLEANUP_MAILS_AFTER: '2h',
    CLEANUP_DELIVERIES_AFTER: '3d',
  });
  journal = app.app.get<Journal>(JOURNAL);
  records = app.app.get<AppRecords>(JOBS_RECORDS);
});
afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

const clean = (body: object | string = '') => deliver(app, { path: '/tasks/cleanup', body });

async function counts(): Promise<unknown> {
  const { status, json } = await clean();
  expect(status).toBe(200);
  return json;
}

function inDatabase(work: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(join(folder, 'app.sqlite'));
  work(db);
  db.close();
}

afterEach(async () => {
  await counts();
});

test('each by its age, and counted; what is younger stays', async () => {
  await counts();
  const { mailbox } = app.app.get<JobsMail>(JOBS_MAIL);
  const mail = { from: 'a@b.example', to: 'c@d.example', subject: 'x', text: 'x' };
  const { signal } = new AbortController();
  for (const age of [HOUR, 3 * HOUR, 4 * HOUR]) {
    const date = new Date((now - age) / MILLISECOND);
    await mailbox?.send({ ...mail, messageId: `<${age}@b.example>`, date }, signal);
  }
  const delivery = { id: 'w', attempt: 1, url: 'https://a.example', outcome: 'again', took: 1 };
  for (const age of [2 * DAY, 4 * DAY]) {
    await records.noteDelivery({ ...delivery, outcome: 'again', at: now - age });
  }
  for (const [id, age] of [
    ['a', 29 * DAY],
    ['b', 31 * DAY],
    ['c', 32 * DAY],
    ['d', 33 * DAY],
  ] as const) {
    await records.save({ id, content: '{}', fetchedAt: now - 40 * DAY });
    await records.markGone(id, now - age);
  }
  await journal.note([{ key: 'old', outcome: 'x', ttl: -MINUTE }]);
  expect(await counts()).toEqual({ outcomes: 1, mails: 2, deliveries: 1, entities: 3 });
  expect(await counts()).toEqual({ outcomes: 0, mails: 0, deliveries: 0, entities: 0 });
  expect(await mailbox?.list()).toHaveLength(1);
  expect(await records.entity('a')).toBeDefined();
  await app.logged('Deleted 1 outcomes, 2 mails, 1 deliveries, 3 entities.');
});

test('more than one step of each', async () => {
  inDatabase((db) => {
    const rows = 'WITH RECURSIVE n(at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM n LIMIT 2500)';
    const columns = '(id, attempt, url, outcome, at, took)';
    db.exec(
      `INSERT INTO nest_cloud_tasks_delivery ${columns} ${rows} SELECT 'w', 1, 'x', 'again', at, 1 FROM n`,
    );
  });
  expect(await counts()).toMatchObject({ deliveries: 2500 });
});

test('never two at once: the second is told to come again, and that is no attempt of its own', async () => {
  const claim = await journal.claim(KEY, MINUTE);
  expect(await clean()).toMatchObject({ status: 409 });
  if (claim.state === 'claimed') await journal.release(KEY, claim.fence);
  expect(await clean()).toMatchObject({ status: 200 });
});

test('of eight at once, none overlap', async () => {
  const statuses = (await Promise.all(Array.from({ length: 8 }, () => clean()))).map(
    ({ status }) => status,
  );
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(0);
  expect(statuses.filter((status) => status !== 200 && status !== 409)).toEqual([]);
});

test('a failure half-way leaves the rest to the next attempt', async () => {
  const rename = (from: string, to: string) =>
    inDatabase((db) => db.exec(`ALTER TABLE ${from} RENAME TO ${to}`));
  await records.save({ id: 'left', content: '{}', fetchedAt: 1 });
  await records.markGone('left', 2);
  rename('nest_cloud_tasks_entity', 'away');
  expect((await clean()).status).toBe(500);
  rename('away', 'nest_cloud_tasks_entity');
  expect(await counts()).toMatchObject({ entities: 1 });
});

test('it takes no fields', async () => {
  app.lines.length = 0;
  await app.send('POST', '/add_task_app_engine', {
    relativeUri: '/tasks/cleanup',
    payload: { olderThan: '1d' },
  });
  expect((await app.logged(/^Parked /))['message']).toMatch(/Unknown field 'olderThan'/);
});

/** `nest-cloud-tasks engine recover`, on a database that the engine refuses. */
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEngine } from '../../src/host/start-engine.js';
import { everyTask } from '../support/every-task.js';
import { runCli } from '../support/engine-process.js';

const QUEUE = 'projects/demo/locations/here/queues/mail';
const TASKS = 300;

const folder = mkdtempSync(join(tmpdir(), 'recover-'));
let dataDir: string;
let runs = 0;

beforeEach(async () => {
  dataDir = join(folder, String(++runs));
  const engine = await startEngine({ dataDir, port: 0 });
  await engine.api.updateQueue({ queue: { name: QUEUE } });
  const create = (n: number) => {
    const body = new TextEncoder().encode(`${n} `.repeat(500));
    const httpRequest = { url: 'http://127.0.0.1:1/', body };
    const task = { name: `${QUEUE}/tasks/${n}`, scheduleTime: (Date.now() + 1e6) * 1000 };
    return engine.api.createTask({ parent: QUEUE, task: { ...task, httpRequest } });
  };
  await Promise.all(Array.from({ length: TASKS - 30 }, (_, n) => create(n)));
  // One by one, for a log of many commits.
  for (let n = TASKS - 30; n < TASKS; n++) await create(n);
  // As a crash leaves it: all is in the log.
  cpSync(dataDir, `${dataDir}-crashed`, { recursive: true });
  await engine.close();
});

afterAll(() => rmSync(folder, { recursive: true }));

const file = (suffix = '') => join(dataDir, `tasks.sqlite${suffix}`);
const recover = () => runCli(['engine', 'recover', '--data', dataDir]);
const refusal = async () => (await runCli(['engine', '--port', '0', '--data', dataDir])).stderr;

async function tasksOfNextStart(): Promise<string[]> {
  const engine = await startEngine({ dataDir, port: 0 });
  try {
    return (await everyTask(engine.api, QUEUE)).map(({ name }) => name.split('/').at(-1) ?? '');
  } finally {
    await engine.close();
  }
}

test('keeps what is sound, names what is lost, and leaves the damaged file beside', async () => {
  const bytes = readFileSync(file());
  const truncated = bytes.subarray(0, bytes.length - 16 * 4096);
  writeFileSync(file(), truncated);
  expect(await refusal()).toMatch(
    /^nest-cloud-tasks: The task database .* is damaged or not a database \(.*\): restore a copy, or keep what is sound by npx nest-cloud-tasks engine recover --data .*\.\n$/,
  );
  const { code, stdout, stderr } = await recover();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const lost = [...stdout.matchAll(/^Lost: task .*\/tasks\/(\d+) \(.+\)$/gm)].map(([, id]) => id);
  const kept = Number(/^Kept: 1 queues, (\d+) tasks, 0 names/m.exec(stdout)?.[1]);
  expect(kept).toBeGreaterThan(0);
  expect(lost.length).toBeGreaterThan(0);
  const [, old = ''] = /^The damaged database is (.*) now/m.exec(stdout) ?? [];
  expect(readFileSync(old)).toEqual(truncated);

  const tasks = await tasksOfNextStart();
  expect(tasks).toHaveLength(kept);
  expect([...tasks, ...lost].map(Number).sort((a, b) => a - b)).toEqual(
    Array.from({ length: TASKS }, (_, n) => n),
  );
});

describe('a log', () => {
  beforeEach(() => {
    rmSync(dataDir, { recursive: true });
    cpSync(`${dataDir}-crashed`, dataDir, { recursive: true });
  });

  test('with a hole is not taken for one that a crash cut off', async () => {
    const log = readFileSync(file('-wal'));
    log.fill(0xaa, log.length - 50_000, log.length - 49_000);
    writeFileSync(file('-wal'), log);
    expect(await refusal()).toMatch(/\(its log is damaged, with \d+ commits behind the damage\)/);
    const { code, stdout } = await recover();
    expect(code).toBe(0);
    expect(stdout).toMatch(/^What was written last may be lost: its log is damaged, with \d+/);
    const tasks = await tasksOfNextStart();
    expect(tasks.length).toBeGreaterThan(0);
    expect(tasks.length).toBeLessThan(TASKS);
  });

  test('that a crash cut off is read up to there, without a word', async () => {
    const log = readFileSync(file('-wal'));
    writeFileSync(file('-wal'), log.subarray(0, log.length - 100));
    expect(await tasksOfNextStart()).toHaveLength(TASKS - 1);
  });
});

test.each([
  [
    'there is none',
    () => rmSync(file()),
    /^nest-cloud-tasks: There is no task database .*tasks\.sqlite\.\n$/,
  ],
  [
    'nothing can be read',
    () => writeFileSync(file(), 'x'.repeat(9000)),
    /^nest-cloud-tasks: Nothing can be read of the task database \(.*\): restore a copy, or move it and its -wal file away to start empty\.\n$/,
  ],
])('fails on one line where %s, and leaves all as it is', async (_, damage, message) => {
  damage();
  const before = readdirSync(dataDir);
  const { code, stdout, stderr } = await recover();
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(message);
  expect(readdirSync(dataDir)).toEqual(before);
});

test('leaves a database alone that an engine is using', async () => {
  const engine = await startEngine({ dataDir, port: 0 });
  expect((await recover()).stderr).toMatch(/is in use by an engine: stop that one first\.\n$/);
  await engine.close();
  expect(await tasksOfNextStart()).toHaveLength(TASKS);
});

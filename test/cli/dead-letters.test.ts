/** `dead-letters` as a process, against a real engine over gRPC. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningEngine } from '../../src/host/running-engine.js';
import { startEngine } from '../../src/host/start-engine.js';
import { deadLetterHeader } from '../../src/modules/dead-letters/dead-letter.js';
import {
  lineageHeaders,
  newLineage,
  parkedTaskId,
} from '../../src/modules/dead-letters/lineage.js';
import { runCli } from '../support/engine-process.js';

const LOCATION = 'projects/local/locations/us-central1';
const MAIL = `${LOCATION}/queues/mail`;
const PARKED = `${MAIL}-dead-letter`;

let engine: RunningEngine;
beforeEach(async () => {
  engine = await startEngine({ dataDir: ':memory:', port: 0 });
  for (const name of [MAIL, PARKED]) {
    await engine.api.createQueue({ parent: LOCATION, queue: { name } });
  }
  await engine.api.pauseQueue({ name: MAIL });
  await engine.api.pauseQueue({ name: PARKED });
});
afterEach(() => engine.close());

async function park(taskId: string, reason: 'permanent' | 'exhausted', message: string) {
  const now = Date.now() * 1000;
  const lineage = newLineage(now);
  await engine.api.createTask({
    parent: PARKED,
    task: {
      name: `${PARKED}/tasks/${parkedTaskId(lineage)}`,
      httpRequest: {
        url: 'http://127.0.0.1:1/tasks/send?urgent=1',
        headers: {
          'X-Own': 'kept',
          ...lineageHeaders(lineage),
          ...deadLetterHeader({
            reason,
            message,
            attempts: 3,
            queue: 'mail',
            taskId,
            diedAt: now,
            renewals: 0,
          }),
        },
        body: new TextEncoder().encode(`{"id":"${taskId}"}`),
      },
    },
  });
}

function run(...args: string[]) {
  return runCli(['dead-letters', ...args, '--port', new URL(engine.url).port]);
}

async function left(parent: string) {
  return (await engine.api.listTasks({ parent, responseView: 'FULL' })).tasks;
}

test('list and show tell what was given up, and until when it is kept', async () => {
  await park('one', 'permanent', 'no such mailbox');
  await park('two', 'exhausted', 'connection refused');
  const listed = await run('list', '--reason', 'exhausted');
  expect(listed.stdout).toMatch(
    /^mail\/two {2}\d{4}-.*Z {2}3 attempt\(s\) {2}(30|31) day\(s\) left {2}exhausted: connection refused\n$/,
  );
  expect(listed).toMatchObject({ code: 0, stderr: '1 dead letter(s).\n' });
  const shown = await run('show', 'one', '--queue', 'mail');
  expect(shown.stdout).toContain('POST http://127.0.0.1:1/tasks/send?urgent=1');
  expect(shown.stdout).toContain('X-Own: kept');
  expect(shown.stdout).toContain('{"id":"one"}');
  expect(shown.stdout).not.toContain('X-Tasks-');
});

test('redrive puts tasks back as they were; discard takes the rest away', async () => {
  await park('one', 'permanent', 'no such mailbox');
  await park('two', 'exhausted', 'connection refused');
  expect(await run('redrive', '--reason', 'refused')).toMatchObject({
    code: 0,
    stdout: 'Redriven: 1.\n',
  });
  const [task, ...others] = await left(MAIL);
  expect(others).toEqual([]);
  expect(task?.httpRequest).toMatchObject({ url: 'http://127.0.0.1:1/tasks/send?urgent=1' });
  expect(task?.httpRequest?.headers).toMatchObject({ 'X-Own': 'kept', 'X-Tasks-Redrive': '1' });
  expect(task?.httpRequest?.headers).not.toHaveProperty('X-Tasks-Dead-Letter');
  expect(Buffer.from(task?.httpRequest?.body ?? []).toString()).toBe('{"id":"two"}');
  expect(await run('discard', '--all')).toMatchObject({ code: 0, stdout: 'Discarded: 1.\n' });
  expect(await left(PARKED)).toEqual([]);
});

test('neither does anything without being told which', async () => {
  await park('one', 'permanent', 'no such mailbox');
  for (const verb of ['redrive', 'discard']) {
    const { code, stderr } = await run(verb);
    expect(code).toBe(1);
    expect(stderr).toMatch(/Say which with --queue, --task or --reason/);
  }
  expect(await left(PARKED)).toHaveLength(1);
});

test('export writes all of them, bodies included; many show progress', async () => {
  for (let n = 0; n < 120; n++) await park(`t${n}`, 'permanent', 'no');
  const folder = mkdtempSync(join(tmpdir(), 'cli-dead-letters-'));
  try {
    const file = join(folder, 'letters.jsonl');
    const { code, stderr } = await run('export', '--queue', 'mail', '--out', file);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '100 …\nExported 120 dead letter(s).\n' });
    const letters = readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as { taskId: string; body: string });
    expect(letters).toHaveLength(120);
    expect(Buffer.from(letters[7]?.body ?? '', 'base64').toString()).toBe('{"id":"t7"}');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

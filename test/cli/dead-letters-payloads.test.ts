/** `dead-letters` of tasks whose bodies are kept apart: with `PAYLOAD_STORE`, and without. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningEngine } from '../../src/host/running-engine.js';
import { startEngine } from '../../src/host/start-engine.js';
import { deadLetterHeader } from '../../src/modules/dead-letters/dead-letter.js';
import { lineageHeaders, newLineage } from '../../src/modules/dead-letters/lineage.js';
import { readPayloadOptions } from '../../src/modules/payloads/payload-options.js';
import { Payloads } from '../../src/modules/payloads/payloads.js';
import { runCli } from '../support/engine-process.js';
import { VirtualClock } from '../support/virtual-clock.js';

const LOCATION = 'projects/local/locations/us-central1';
const MAIL = `${LOCATION}/queues/mail`;
const PARKED = `${MAIL}-dead-letter`;
/** Not today, so that a redrive has something to copy. */
const DAY = '2026-01-01';

let folder: string;
let engine: RunningEngine;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'payloads-'));
  engine = await startEngine({ dataDir: ':memory:', port: 0 });
  for (const name of [MAIL, PARKED]) {
    await engine.api.createQueue({ parent: LOCATION, queue: { name } });
    await engine.api.pauseQueue({ name });
  }
  const payloads = new Payloads(readPayloadOptions({ folder }), new VirtualClock());
  await payloads.onModuleInit();
  const now = Date.now() * 1000;
  const epitaph = {
    reason: 'permanent' as const,
    message: 'no such mailbox',
    attempts: 1,
    renewals: 0,
  };
  await engine.api.createTask({
    parent: PARKED,
    task: {
      httpRequest: {
        url: 'http://127.0.0.1:1/tasks/send',
        headers: {
          ...(await payloads.keep(Buffer.from('large'))),
          ...lineageHeaders(newLineage(now)),
          ...deadLetterHeader({ ...epitaph, queue: 'mail', taskId: 'one', diedAt: now }),
        },
      },
    },
  });
});
afterEach(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

function run(verb: string, env: Record<string, string>) {
  const all = verb === 'redrive' ? ['--all'] : [];
  return runCli(['dead-letters', verb, ...all, '--port', new URL(engine.url).port], env);
}

test('export writes the payload out, or says that it is elsewhere', async () => {
  const exported = await run('export', { PAYLOAD_STORE: folder });
  expect(JSON.parse(exported.stdout)).toMatchObject({
    body: Buffer.from('large').toString('base64'),
  });
  const without = await run('export', {});
  expect(JSON.parse(without.stdout)).toMatchObject({
    body: '',
    bodyError: expect.stringContaining('no payload store is named'),
  });
});

test('redrive keeps the payload for as long again', async () => {
  expect(await readdir(folder)).toEqual([DAY]);
  expect(await run('redrive', { PAYLOAD_STORE: folder })).toMatchObject({ code: 0 });
  expect(await readdir(folder)).toHaveLength(2);
  const { tasks } = await engine.api.listTasks({ parent: MAIL, responseView: 'FULL' });
  expect(tasks[0]?.httpRequest?.headers['X-Tasks-Payload']).not.toMatch(DAY);
});

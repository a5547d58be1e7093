/** `nest-cloud-tasks keys`, from the first key to its end. */
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordOf } from '../../src/modules/producer/api-key.js';
import { readKeyFile } from '../../src/modules/producer/key-file.js';
import { runCli } from '../support/engine-process.js';

const folder = mkdtempSync(join(tmpdir(), 'keys-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));
let file: string;
let runs = 0;
beforeEach(() => {
  file = join(folder, `${++runs}.json`);
});

const keys = (...args: string[]) => runCli(['keys', ...args, '--file', file]);

test('makes a key that works, keeps its hash alone, and revokes it', async () => {
  const { code, stdout, stderr } = await keys(
    ...['create', '--client', 'billing', '--queue', 'mail', 'sync', '--task', '/tasks/a'],
    ...['--external', '--rate', '60'],
  );
  const key = stdout.trim();
  expect({ code, key }).toEqual({
    code: 0,
    key: expect.stringMatching(/^nct_[a-z0-9]{12}_[A-Za-z0-9_-]{43}$/) as unknown as string,
  });
  expect(stderr).not.toContain(key);
  expect(readFileSync(file, 'utf8')).not.toContain(key.slice(17));
  const record = recordOf(key, readKeyFile(file));
  expect(record).toMatchObject({
    client: 'billing',
    queues: ['mail', 'sync'],
    tasks: ['/tasks/a'],
    external: true,
    rate: 60,
  });
  const id = record?.id ?? '';
  expect((await keys('list')).stdout).toMatch(
    new RegExp(
      `^${id}  billing  active  .*queues: mail sync  tasks: /tasks/a  external: yes  60 a minute\\n$`,
    ),
  );
  expect((await keys('revoke', id)).stdout).toContain(`Revoked ${id} of billing.`);
  expect(recordOf(key, readKeyFile(file))).toBeUndefined();
  expect((await keys('list')).stdout).toContain(`${id}  billing  revoked 2`);
  expect((await keys('revoke', id)).stderr).toMatch(/^nest-cloud-tasks: .* was revoked at /);
});

test('43: a client has two active keys at most', async () => {
  await keys('create', '--client', 'a');
  await keys('create', '--client', 'a');
  const third = await keys('create', '--client', 'a');
  expect(third).toMatchObject({ code: 1, stdout: '' });
  expect(third.stderr).toMatch(/^nest-cloud-tasks: a has 2 active keys, .* revoke one first\n$/);
  expect((await keys('create', '--client', 'b')).code).toBe(0);
});

test.each([
  [['create'], "required option '--client <name>' not specified"],
  [['create', '--client', 'a b'], "Expected a name such as 'billing'"],
  [['create', '--client', 'a', '--queue', 'x/y'], 'Expected a queue id'],
  [['create', '--client', 'a', '--task', 'tasks/a'], 'Expected the path of a handler'],
  [['create', '--client', 'a', '--rate', '0'], 'Expected a number from 1 to 100000'],
  [['revoke', 'x'], 'ENOENT'],
])('refuses %j', async (args, problem) => {
  const { code, stdout, stderr } = await keys(...args);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain(problem);
});

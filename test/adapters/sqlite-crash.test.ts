import { afterAll, expect, test } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { SqliteStore } from '../../src/adapters/sqlite-store.js';
import { QUEUE } from '../support/sample-records.js';

const folder = mkdtempSync(join(tmpdir(), 'sqlite-crash-'));
const TOGETHER = 7;

afterAll(() => rmSync(folder, { recursive: true }));

/** A process that creates tasks without end. */
function startWriter(file: string): ChildProcess {
  const program = ['test/support/store-writer.ts', file, 'Infinity', String(TOGETHER)];
  return spawn(process.execPath, ['--import', './test/support/run-typescript.mjs', ...program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

test.each([1, 20, 333])(
  'killed after %i acknowledgements: none of them is lost, none invented, the file is free',
  async (enough) => {
    const file = join(folder, `${enough}`, 'tasks.sqlite');
    const writer = startWriter(file);
    const exited = once(writer, 'exit');
    const said = { asked: new Set<string>(), acknowledged: new Set<string>() };
    if (!writer.stdout) throw new Error('no stdout');
    for await (const line of createInterface({ input: writer.stdout })) {
      const [what, number] = line.split(' ');
      if (what === 'asked' || what === 'acknowledged') said[what].add(`task-${number ?? ''}`);
      if (said.acknowledged.size === 1) {
        expect(() => openStore(file)).toThrow(/is in use by another engine/);
      }
      if (said.acknowledged.size === enough) writer.kill('SIGKILL');
    }
    expect(await exited).toEqual([null, 'SIGKILL']);

    const store = openStore(file);
    const tasks = store.tasks(QUEUE, 0, 1e6);
    const ids = new Set(tasks.map(({ id }) => id));
    expect(said.acknowledged.size).toBeGreaterThanOrEqual(enough);
    expect([...said.acknowledged].filter((id) => !ids.has(id))).toEqual([]);
    expect([...ids].filter((id) => !said.asked.has(id))).toEqual([]);
    expect(store.due(QUEUE, undefined, 1e6)).toHaveLength(tasks.length);
    await store.close();
  },
);

function openStore(file: string): SqliteStore {
  return new SqliteStore({
    file,
    onDamaged: ({ name, reason }) => {
      throw new Error(`${name}: ${reason}`);
    },
  });
}

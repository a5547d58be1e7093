import { afterAll, expect, test } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import type { Interface } from 'node:readline';
import { createInterface } from 'node:readline';
import { SqliteStore } from '../../src/adapters/sqlite-store.js';
import { QUEUE } from '../support/sample-records.js';

const folder = mkdtempSync(join(tmpdir(), 'sqlite-crash-'));

afterAll(() => rmSync(folder, { recursive: true }));

/** What a process of its own said of each task that it created, line by line. */
class Writer {
  readonly said = {
    asked: new Set<string>(),
    acknowledged: new Set<string>(),
    refused: new Set<string>(),
  };

  private constructor(
    private readonly process: ChildProcess,
    private readonly lines: Interface,
  ) {}

  /** @param fileLimit what `ulimit -f` takes: no file may grow larger. */
  static start(
    file: string,
    count: number,
    fileLimit: number | 'unlimited',
    stderr: 'inherit' | 'ignore' = 'inherit',
  ): Writer {
    const limit = `ulimit -f ${fileLimit}; exec "$@"`;
    const hooks = ['--import', './test/support/run-typescript.mjs'];
    const program = ['test/support/store-writer.ts', file, `${count}`, '7'];
    const process = spawn('sh', ['-c', limit, 'sh', execPath, ...hooks, ...program], {
      stdio: ['ignore', 'pipe', stderr],
    });
    return new Writer(process, createInterface({ input: process.stdout }));
  }

  /** Resolves to its exit, `[code, signal]`. */
  async listen(onLine: () => void = () => undefined): Promise<unknown[]> {
    const exited: Promise<unknown[]> = once(this.process, 'exit');
    try {
      for await (const line of this.lines) {
        const [what, number] = line.split(' ');
        if (what === 'asked' || what === 'acknowledged' || what === 'refused') {
          this.said[what].add(`task-${number ?? ''}`);
        }
        onLine();
      }
      return await exited;
    } finally {
      // Also when an expectation failed.
      this.kill();
    }
  }

  kill(): void {
    this.process.kill('SIGKILL');
  }
}

test.each([1, 20, 333])(
  'killed after %i acknowledgements: none of them is lost, none invented, the file is free',
  async (enough) => {
    const file = join(folder, `killed-${enough}`, 'tasks.sqlite');
    const writer = Writer.start(file, Infinity, 'unlimited');
    const { asked, acknowledged } = writer.said;
    const exit = await writer.listen(() => {
      if (acknowledged.size === 1) {
        expect(() => openStore(file)).toThrow(/is in use by another engine/);
      }
      if (acknowledged.size === enough) writer.kill();
    });
    expect(exit).toEqual([null, 'SIGKILL']);
    expect(acknowledged.size).toBeGreaterThanOrEqual(enough);

    const store = openStore(file);
    const tasks = store.tasks(QUEUE, 0, 1e6);
    const ids = new Set(tasks.map(({ id }) => id));
    expect([...acknowledged].filter((id) => !ids.has(id))).toEqual([]);
    expect([...ids].filter((id) => !asked.has(id))).toEqual([]);
    expect(store.due(QUEUE, undefined, 1e6)).toHaveLength(tasks.length);
    await store.close();
  },
);

test('a second store that this process refused leaves the first its lock', async () => {
  const file = join(folder, 'twice', 'tasks.sqlite');
  const store = openStore(file);
  expect(() => openStore(file)).toThrow(/is in use by another engine/);
  const writer = Writer.start(file, 1, 'unlimited', 'ignore');
  expect(await writer.listen()).toEqual([1, null]);
  expect(writer.said.asked.size).toBe(0);
  await store.close();
});

test('when the system refuses to write more, exactly what was acknowledged is there', async () => {
  const file = join(folder, 'refused', 'tasks.sqlite');
  const writer = Writer.start(file, 700, 600);
  expect(await writer.listen()).toEqual([0, null]);
  const { acknowledged, refused } = writer.said;
  expect([acknowledged.size > 0, refused.size > 0]).toEqual([true, true]);
  expect(acknowledged.size + refused.size).toBe(700);

  const store = openStore(file);
  expect(store.tasks(QUEUE, 0, 1e6).map(({ id }) => id)).toEqual([...acknowledged]);
  await store.close();
});

function openStore(file: string): SqliteStore {
  return new SqliteStore({
    file,
    onDamaged: ({ name, reason }) => {
      throw new Error(`${name}: ${reason}`);
    },
  });
}

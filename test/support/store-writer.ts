/**
 * A process that creates tasks in a SQLite store, `together` at a time, and says so on stdout:
 * `asked <n>` before each create, `acknowledged <n>` once it is promised to be on disk, or
 * `refused <n>`.
 *
 *   node --import ./test/support/run-typescript.mjs test/support/store-writer.ts <file> <count> <together>
 */
import { writeSync } from 'node:fs';
import { SqliteStore } from '../../src/adapters/sqlite-store.js';
import { sampleQueue, sampleTask } from './sample-records.js';

const [file = '', count = '1', together = '1'] = process.argv.slice(2);
const store = new SqliteStore({ file, onDamaged: () => undefined });
await store.putQueue(sampleQueue());

async function create(number: number): Promise<void> {
  // Not buffered: a kill must not swallow what was said.
  writeSync(1, `asked ${number}\n`);
  const task = sampleTask(`task-${number}`, { body: new Uint8Array(100) });
  const outcome = await store.createTask(task, 0).then(
    () => 'acknowledged',
    () => 'refused',
  );
  writeSync(1, `${outcome} ${number}\n`);
}

for (let next = 1; next <= Number(count); next += Number(together)) {
  await Promise.all(Array.from({ length: Number(together) }, (_, index) => create(next + index)));
}
await store.close();

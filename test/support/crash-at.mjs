// Kills the process at a place that is named, from outside: `node --import ./test/support/crash-at.mjs
// program.js` with CRASH_AT, a JSON list of steps that are met one after the other; it dies at the
// last. A step is `{ before | after: <regular expression of SQL>, nth?: 1 }`, `{ channel: <of
// node:diagnostics_channel>, nth?: 1 }` or `{ checkpoint: <the database>, spin: <how long after it began> }`.
import { subscribe } from 'node:diagnostics_channel';
import { fstatSync, openSync } from 'node:fs';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

if (workerData?.crashAtCheckpoint) dieInCheckpoint(workerData.crashAtCheckpoint);
else if (isMainThread && process.env.CRASH_AT) arm(JSON.parse(process.env.CRASH_AT));

function arm(steps) {
  let met = 0;
  const meet = (kind, name) => {
    const step = steps[0];
    if (!step?.[kind] || !new RegExp(step[kind]).test(name)) return;
    if (++met < (step.nth ?? 1)) return;
    met = 0;
    steps.shift();
    if (steps.length === 0) process.kill(process.pid, 'SIGKILL');
    begin();
  };
  const around = (sql, run) => {
    meet('before', sql.trim());
    const result = run();
    meet('after', sql.trim());
    return result;
  };
  const begin = () => {
    const { channel, checkpoint } = steps[0];
    if (channel) subscribe(channel, () => meet('channel', channel));
    if (checkpoint) {
      new Worker(new URL(import.meta.url), { workerData: { crashAtCheckpoint: steps[0] } }).unref();
    }
  };

  const { run } = StatementSync.prototype;
  StatementSync.prototype.run = function (...values) {
    return around(this.sourceSQL, () => run.apply(this, values));
  };
  const { exec } = DatabaseSync.prototype;
  DatabaseSync.prototype.exec = function (sql) {
    // A script is met statement by statement. Smaller checkpoints come sooner.
    const script = sql.replace(/wal_autocheckpoint = \d+/, 'wal_autocheckpoint = 300');
    for (const statement of script.split(';').filter((part) => part.trim() !== '')) {
      around(statement, () => exec.call(this, statement));
    }
  };
  begin();
}

/** The database itself is written by checkpoints only; what is new waits in its log. */
function dieInCheckpoint({ checkpoint, spin }) {
  const file = openSync(checkpoint, 'r');
  const changed = () => fstatSync(file, { bigint: true }).mtimeNs;
  const before = changed();
  while (changed() === before);
  for (let turn = 0; turn < spin; turn++) changed();
  process.kill(process.pid, 'SIGKILL');
}

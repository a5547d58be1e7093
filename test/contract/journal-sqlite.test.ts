import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteJournal } from '../../src/adapters/journal-sqlite.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { describeJournal } from './journal.contract.js';

describeJournal('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'journal-'));
  return {
    open: async (clock = new SystemClock()) =>
      SqliteJournal.open(join(folder, 'journal.sqlite'), clock),
    close: async () => rmSync(folder, { recursive: true }),
  };
});

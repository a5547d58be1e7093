import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRecords } from '../../src/host/open-records.js';
import { describeRecords } from './records.contract.js';

describeRecords('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'records-'));
  return {
    open: () => openRecords({ file: join(folder, 'sub', 'app.sqlite') }),
    close: async () => rmSync(folder, { recursive: true }),
  };
});

/** docs/security.md names what there is, and its links lead somewhere. */
import { expect, test } from '@jest/globals';
import type { Server } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppServer } from '../../src/app/app-server.js';
import { AUTH_MODES } from '../../src/modules/auth/auth-options.js';
import { readAccountFile } from '../../src/modules/producer/account-file.js';
import { SETTING_NAMES } from '../../src/settings/names.js';
import { Markdown } from '../support/markdown.js';

const doc = new Markdown('docs/security.md');

test('its links lead somewhere', () => {
  expect(doc.brokenLinks()).toEqual([]);
});

test('every mode of the guard has a platform', () => {
  const rows = doc.table('Platform', 'Mode', 'What proves a task', 'Starts only');
  const modes = rows.map(({ Mode }) => Mode.replaceAll('`', ''));
  expect(new Set(modes)).toEqual(new Set(AUTH_MODES));
});

test('every secret among the settings is in the table of secrets', () => {
  const [named = ''] = [doc.table('Secret', 'Where it is', 'Who needs it')].map((rows) =>
    rows.map(({ Secret }) => Secret).join(),
  );
  for (const name of SETTING_NAMES.filter((each) => each.endsWith('_SECRET'))) {
    expect(named).toContain(`\`${name}\``);
  }
});

test('the limits are those of the server', () => {
  const app = new AppServer();
  app.initHttpServer();
  const { headersTimeout, requestTimeout, maxHeadersCount } = app.getHttpServer() as Server;
  const limits = doc.table('What', 'Limit', 'Beyond it').map(({ Limit }) => Limit);
  expect(limits[0]).toBe(`16 KB, fewer than ${String(maxHeadersCount)} headers`);
  expect(limits.slice(1, 3)).toEqual([
    `${headersTimeout / 1000} seconds`,
    `${requestTimeout / 1000} seconds`,
  ]);
});

test('the file of accounts is one', () => {
  const folder = mkdtempSync(join(tmpdir(), 'docs-security-'));
  try {
    const path = join(folder, 'accounts.yaml');
    writeFileSync(path, doc.code('yaml')[0] ?? '');
    expect(readAccountFile(path).size).toBe(2);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** What a person reads where the journal's store can't be used. */
import { expect, jest, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openJournal } from '../../src/host/open-journal.js';
import { readStoreUrl } from '../../src/foundation/store-url.js';
import { VirtualClock } from '../support/virtual-clock.js';

async function refusal(url: string): Promise<string> {
  const place = readStoreUrl(url);
  if (!place) throw new Error(`${url} is no store.`);
  return openJournal(place, new VirtualClock()).then(
    () => 'opened',
    (error: unknown) => (error as Error).message,
  );
}

test.each([
  [
    'redis://:secret@127.0.0.1:1',
    /^The journal's Redis can't be reached \(.*ECONNREFUSED.*STORE_URL/,
  ],
  [
    'postgres://u:secret@127.0.0.1:1/db',
    /^The journal's PostgreSQL can't be used \(.*ECONNREFUSED.*STORE_URL/,
  ],
])('%s: nobody listens', async (url, message) => {
  const said = await refusal(url);
  expect(said).toMatch(message);
  expect(said).not.toContain('secret');
});

test('a Redis where nobody listens leaves no timer that would keep the process', async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  try {
    await refusal('redis://127.0.0.1:1');
    jest.advanceTimersByTime(1);
    expect(jest.getTimerCount()).toBe(0);
  } finally {
    jest.useRealTimers();
  }
});

test('a file that is no journal', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'open-journal-'));
  const file = join(folder, 'journal.sqlite');
  writeFileSync(file, 'not a database, and long enough to be none'.repeat(100));
  expect(await refusal(`sqlite:${file}`)).toMatch(/^The journal .* can't be used \(.*STORE_URL/);
  rmSync(folder, { recursive: true });
});

test('a folder that can’t be made', async () => {
  expect(await refusal('sqlite:/proc/nowhere/journal.sqlite')).toMatch(/can't be used \(ENOENT/);
});

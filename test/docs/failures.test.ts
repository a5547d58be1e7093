// docs/failures.md names what there is: files, reasons, the default, the headers.
import { expect, test } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DEAD_LETTER_HEADER, DEAD_REASONS } from '../../src/modules/dead-letters/dead-letter.js';
import {
  lineageHeaders,
  newLineage,
  successor,
  redriven,
} from '../../src/modules/dead-letters/lineage.js';
import { DEFAULT_MAX_ATTEMPTS } from '../../src/modules/tasks/attempts/attempt-rules.js';
import { Markdown } from '../support/markdown.js';

const ROOT = new URL('../../', import.meta.url);
const text = readFileSync(new URL('docs/failures.md', ROOT), 'utf8');
const rows = new Markdown('docs/failures.md').table(
  'Handler',
  'Answer to the queue',
  'Then',
  'Decided in',
);

test('each row says where it is decided, and that is there', () => {
  expect(rows.length).toBeGreaterThan(8);
  for (const row of rows) {
    const [, file = ''] = /`(src\/[^`]+)`/.exec(row['Decided in']) ?? [];
    expect({ file, there: existsSync(fileURLToPath(new URL(file, ROOT))) }).toEqual({
      file: expect.stringMatching(/\.ts$/),
      there: true,
    });
  }
});

test('each kind of dead letter has its row', () => {
  const named = rows.flatMap(({ Then }) => /dead letter, `([^`]+)`/.exec(Then)?.[1] ?? []);
  expect(new Set(named)).toEqual(new Set(DEAD_REASONS));
});

test('the default and the headers are as it says', () => {
  expect(text).toContain(`The default is **${DEFAULT_MAX_ATTEMPTS}**`);
  const all = lineageHeaders(redriven(successor(newLineage(1), 1)));
  for (const name of [...Object.keys(all), DEAD_LETTER_HEADER]) expect(text).toContain(name);
});

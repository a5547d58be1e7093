/** docs/hooks.md and docs/payloads.md show code that compiles, and list what there is. */
import { expect, test } from '@jest/globals';
import { BUCKET_OPTIONS, FOLDER_OPTIONS } from '../../src/modules/payloads/payload-options.js';
import { Markdown } from '../support/markdown.js';
import { compileUserCode } from '../support/user-code.js';

const hooks = new Markdown('docs/hooks.md');
const payloads = new Markdown('docs/payloads.md');

test('every block of code compiles', () => {
  const blocks = [...hooks.code('ts'), ...payloads.code('ts')];
  expect(blocks).toHaveLength(4);
  const compiled = compileUserCode(blocks);
  expect(compiled.flatMap(({ problems }) => problems)).toEqual([]);
}, 60_000);

test('the options of a payload store are those that there are', () => {
  const listed = payloads.table('Option', 'Default', 'Meaning').map(({ Option }) => Option);
  const known = new Set([...FOLDER_OPTIONS, ...BUCKET_OPTIONS]);
  expect(listed.sort()).toEqual([...known].map((name) => `\`${name}\``).sort());
});

test.each([hooks, payloads])('its links lead somewhere', (document) => {
  expect(document.brokenLinks()).toEqual([]);
});

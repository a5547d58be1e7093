/** docs/tasks.md, docs/concepts.md and docs/queues-file.md show code that compiles as it stands. */
import { expect, test } from '@jest/globals';
import { Markdown } from '../support/markdown.js';
import { compileUserCode } from '../support/user-code.js';

const guide = new Markdown('docs/tasks.md');
const concepts = new Markdown('docs/concepts.md');

test('every block of code compiles, of the guide and of queues in code', () => {
  const [inOptions = '', inModule = ''] = new Markdown('docs/queues-file.md').code('ts');
  const imports = "import { TasksModule } from 'nest-cloud-tasks';\n";
  const blocks = [...guide.code('ts'), imports + inOptions, inModule];
  expect(blocks.length).toBeGreaterThan(8);
  const compiled = compileUserCode(blocks).map(({ problems }, index) => ({
    problems,
    of: problems.length > 0 ? blocks[index] : undefined,
  }));
  expect(compiled.filter(({ problems }) => problems.length > 0)).toEqual([]);
}, 60_000);

test.each([guide, concepts])('its headings are those that it lists', (document) => {
  expect(document.brokenLinks().filter((link) => link.startsWith('#'))).toEqual([]);
});

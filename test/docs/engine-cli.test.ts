/** docs/engine-cli.md and docs/queues-file.md tell of what there is. */
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { planQueues } from '../../src/host/queues-file.js';
import { runCli } from '../support/engine-process.js';
import { Markdown } from '../support/markdown.js';

const doc = new Markdown('docs/engine-cli.md');
const queues = new Markdown('docs/queues-file.md');

async function flags(): Promise<{ flag: string; variable: string }[]> {
  const { stdout } = await runCli(['engine', '--help']);
  const options = stdout.split(/^ {2}(?=-)/m).slice(1);
  return options.flatMap((text) => {
    const [, flag = ''] = /^(--\S+(?: <[^>]+>)?)/.exec(text) ?? [];
    const [, variable = ''] = /env:\s+(\w+)\)/.exec(text) ?? [];
    return flag ? [{ flag, variable }] : [];
  });
}

test('every flag is in the table with its variable, and the other way round', async () => {
  const documented = doc
    .table('Flag', 'Variable', 'Default', 'What it is')
    .map(({ Flag, Variable }) => ({
      flag: Flag.replaceAll('`', ''),
      variable: Variable.replaceAll('`', ''),
    }));
  const there = await flags();
  expect(there.length).toBeGreaterThan(10);
  expect(new Set(documented)).toEqual(new Set(there));
});

test('the compose file is YAML, and starts the engine with flags that there are', async () => {
  const [block = ''] = doc.code('yaml');
  const { services } = parse(block) as { services: { engine: { command: string[] } } };
  const [node, main, command, ...given] = services.engine.command;
  expect([node, main, command]).toEqual(['node', 'dist/cli/main.js', 'engine']);
  // The value of another option ends it before it starts.
  const { code, stderr } = await runCli(['engine', ...given, '--print-client', 'node']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

describe('queues files', () => {
  test.each(queues.code('yaml'))('%s', (content) => {
    expect(planQueues(content, 'documented').queues).not.toEqual([]);
  });
});

test.each([doc, queues])('its links lead somewhere', (document) => {
  expect(document.brokenLinks()).toEqual([]);
});

/** docs/cli.md tells of the commands that there are, and shows what they print. */
import { expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEngine } from '../../src/host/start-engine.js';
import { runCli } from '../support/engine-process.js';
import { Markdown } from '../support/markdown.js';

const doc = new Markdown('docs/cli.md');
const LOCATION = 'projects/local/locations/us-central1';

/** What stands first in each entry of a section of a command's help. */
async function help(args: readonly string[], section: RegExp): Promise<string[]> {
  const { stdout } = await runCli([...args, '--help']);
  return stdout
    .split(/\n(?=\S)/)
    .filter((part) => section.test(part))
    .flatMap((part) =>
      [...part.matchAll(/^ {2}(\S+(?: <[^>]+>)?)/gm)].map(([, name = '']) => name),
    );
}

test('every command is in the table', async () => {
  const documented = doc.table('Command', 'What it does').map(({ Command }) => Command);
  for (const name of await help([], /^Commands:/)) {
    if (name === 'help') continue;
    const inner = (await help([name], /^Commands:/)).filter((command) => command !== 'help');
    // A row for each, or one for several that begins with the first.
    const rows = documented.filter((cell) => cell.startsWith(`[\`${name}`)).join();
    expect({ name, rows }).not.toEqual({ name, rows: '' });
    for (const command of inner) expect(rows).toMatch(new RegExp(`[\` ]${command}\``));
  }
});

test('every flag of queues is in its table, and the other way round', async () => {
  const documented = doc
    .table('Flag', 'Variable', 'Default', 'What it is')
    .map(({ Flag }) => Flag.replaceAll('`', ''));
  const flags = await help(['queues', 'apply'], /^(Options|Whose queues):/);
  expect(new Set(documented)).toEqual(new Set(flags.filter((flag) => flag.startsWith('--'))));
});

test('every flag of schedules is in its table, and the other way round', async () => {
  const documented = doc
    .table('Flag', 'Variable', 'What it is')
    .map(({ Flag }) => Flag.replaceAll('`', ''));
  const groups = /^(Options|Whose queues):/;
  // Those that say whose jobs are told of once.
  const shared = await help(['queues', 'apply'], groups);
  const flags = (await help(['schedules', 'apply'], groups)).filter(
    (flag) => flag.startsWith('--') && (documented.includes(flag) || !shared.includes(flag)),
  );
  expect(new Set(documented)).toEqual(new Set(flags));
});

test('a plan looks as shown', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'docs-cli-'));
  const engine = await startEngine({ dataDir: ':memory:', port: 0 });
  const { api, url } = engine;
  try {
    const file = join(folder, 'tasks.config.yaml');
    const create = async (id: string) => {
      const name = `${LOCATION}/queues/${id}`;
      const queue = { name, retryConfig: { maxAttempts: -1 } };
      await api.createQueue({ parent: LOCATION, queue });
      return name;
    };
    await create('webhook-queue');
    for (const id of ['webhook-queue-dead-letter', 'sync-queue', 'sync-queue-dead-letter']) {
      await api.pauseQueue({ name: await create(id) });
    }
    writeFileSync(
      file,
      'queues: { email-queue: { maxDispatchesPerSecond: 50 }, webhook-queue: { minBackoff: 5s }, sync-queue: }',
    );
    const { port } = new URL(url);
    const { stdout } = await runCli(['queues', 'plan', '--file', file, '--port', port]);
    const [shown = ''] = doc.code('console');
    expect(stdout.replace(file, 'tasks.config.yaml').replace(port, '8123')).toBe(
      shown.slice(shown.indexOf('\n') + 1),
    );
  } finally {
    await engine.close();
    rmSync(folder, { recursive: true });
  }
});

test('its links lead somewhere', () => {
  expect(doc.brokenLinks()).toEqual([]);
});

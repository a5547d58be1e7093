/** README.md: what it shows happens, its example compiles, and no document's link is dead. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AppProcess } from '../support/app-process.js';
import { startApp } from '../support/app-process.js';
import { comparable, curl } from '../support/documented-curl.js';
import { Markdown } from '../support/markdown.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const [terminal = '', another = ''] = new Markdown('README.md').code('console');

// A whole process starts and ends here, maybe on a busy machine.
jest.setTimeout(30_000);

describe('the first minute', () => {
  let dataDir: string;
  let app: AppProcess;

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'readme-'));
    app = await startApp({ DATA_DIR: dataDir });
  });

  afterAll(async () => {
    await app.kill('SIGTERM');
    rmSync(dataDir, { recursive: true });
  });

  /** A line of the log as the terminal shows it, but for the time, in what the app has logged. */
  async function logged(shown: string): Promise<Record<string, unknown>> {
    const [, severity, context, message = ''] =
      /^\[[\d:.]+\] (\w+): \[(\w+)\] (.*?)(?: \{"task":"\d+","queue":"default"\})?$/.exec(shown) ??
      [];
    const line = JSON.parse(await app.stdout.line(JSON.stringify(message).slice(1, -1))) as object;
    expect(line).toMatchObject({ severity, context, message });
    return line as Record<string, unknown>;
  }

  const lines = terminal.split('\n').filter((line) => line.startsWith('['));

  test('invites to what the document shows', async () => {
    const invited = terminal.split('\n').filter((line) => line.startsWith('  curl'));
    expect(invited).toHaveLength(2);
    for (const line of invited) {
      await app.stderr.line(line.replace('http://127.0.0.1:8080', app.url));
    }
  });

  test('a task is answered as shown, and its handler logs it within a second', async () => {
    const [command = '', shown = ''] = another.split('\n');
    const { status, body } = await curl(command.replace('$ ', ''), app.url);
    expect(status).toBe('202');
    expect(comparable(body)).toEqual(comparable(shown));
    const { scheduleTime } = JSON.parse(body) as { scheduleTime: string };
    const { time } = await logged(lines.find((line) => line.includes('[Example]')) ?? '');
    expect(Date.parse(String(time)) - Date.parse(scheduleTime)).toBeLessThan(1000);
  });

  test('a forged task is refused as shown, and the log says why', async () => {
    const [command = '', shown = ''] = another.slice(another.indexOf('\n\n') + 2).split('\n');
    const { status, body } = await curl(command.replace('$ ', ''), app.url);
    expect({ status, body }).toEqual({ status: '401', body: shown });
    await logged(lines.find((line) => line.includes('Refused')) ?? '');
  });

  test('a task for later comes out as shown', async () => {
    const [, command = ''] = terminal.match(/curl .*/g) ?? [];
    // Nobody has to wait for it here.
    expect(command).toContain('"countdown": "5s"');
    const { status } = await curl(command.replace('"5s"', '"0s"'), app.url);
    expect(status).toBe('202');
    await logged(lines.find((line) => line.includes('[EventDisplay]')) ?? '');
  });

  test('every line of the log is shown as it is', async () => {
    const [created = '', listening = '', ...others] = lines;
    expect(others).toHaveLength(3);
    await logged(created);
    const [, message = ''] = /\[App\] (.*)$/.exec(listening) ?? [];
    const said = JSON.parse(await app.stdout.line('Listening')) as { message: string };
    expect(said.message.replace(dataDir, './.data').replace(/:\d+/g, ':0')).toBe(
      message.replace(/:\d+/g, ':0'),
    );
  });
});

test.each(globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT }))(
  'every link of %s leads somewhere',
  (path) => {
    expect(new Markdown(path).brokenLinks()).toEqual([]);
  },
);

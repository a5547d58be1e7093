/** The app with a file of queues, as a process: applied at every start, and refused as a whole. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startApp } from '../../support/app-process.js';

const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));

let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'queues-file-'));
  file = join(folder, 'queues.yaml');
});

afterAll(() => rmSync(folder, { recursive: true }));

/** What one start says of queues. */
async function linesOfAStart(content: string): Promise<string[]> {
  writeFileSync(file, content);
  const app = await startApp({ DATA_DIR: join(folder, 'data'), QUEUES_FILE: file });
  expect(await app.kill('SIGTERM')).toBe(0);
  return app.lines
    .map((line) => (JSON.parse(line) as { message: string }).message)
    .filter((message) => message.startsWith('Queue'));
}

test('a start creates what is missing, updates what differs, and else says nothing', async () => {
  expect(await linesOfAStart('queues: { mail: { maxAttempts: 3 } }')).toEqual([
    'Queues created: mail, and paused ones for their dead letters.',
  ]);
  expect(await linesOfAStart('queues: { mail: { maxAttempts: 3 } }')).toEqual([]);
  expect(await linesOfAStart('queues: { mail: { maxAttempts: 4 } }')).toEqual([
    'Queue mail updated: retryConfig.maxAttempts 3 -> 4.',
  ]);
});

test.each([
  ['that is named', 'queues.yaml'],
  ['that is found in the working directory', 'tasks.config.yaml'],
])(
  'a mistake in the file %s ends the start on one line, before anything is made',
  async (_, name) => {
    const named = name === 'queues.yaml' ? { QUEUES_FILE: file } : {};
    const path = join(folder, name);
    writeFileSync(path, 'queues:\n  mail:\n    maxAtempts: 3\n');
    const dataDir = join(folder, 'untouched');
    const child = spawn(process.execPath, [MAIN], {
      cwd: folder,
      env: { PATH: process.env['PATH'], PORT: '0', ENGINE_PORT: '0', DATA_DIR: dataDir, ...named },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    expect(await once(child, 'close')).toEqual([1, null]);
    rmSync(path);
    const shown = 'QUEUES_FILE' in named ? path : name;
    expect(stderr).toBe(
      `nest-cloud-tasks: ${shown}:3: queues.mail.maxAtempts: not a field here, did you mean maxAttempts?\n`,
    );
    expect(existsSync(dataDir)).toBe(false);
  },
);

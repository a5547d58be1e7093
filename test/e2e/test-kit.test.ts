/** docs/testing.md, followed to the letter in a project of a user's: Vitest, Jest, tsc. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Markdown } from '../support/markdown.js';
import { installPackedPackage } from '../support/packed-package.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const [app = '', vitestTest = ''] = new Markdown('docs/testing.md').code('ts');
const [jestConfig = ''] = new Markdown('docs/testing.md').code('js');
/** The document says that no more is other. */
const jestTest = vitestTest.replace("'vitest'", "'@jest/globals'").replace(/\bvi\b/g, 'jest');

// Whole tools are started, maybe on a busy machine.
jest.setTimeout(120_000);

let folder: string;

beforeAll(async () => {
  folder = await installPackedPackage('test-kit');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A project with this test, and the tsconfig.json of the examples. */
function project(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(folder, name);
  mkdirSync(join(path, 'src'), { recursive: true });
  cpSync(join(ROOT, 'examples', 'basic', 'tsconfig.json'), join(path, 'tsconfig.json'));
  const all = { 'package.json': '{ "private": true, "type": "module" }', 'src/emails.ts': app };
  for (const [file, text] of Object.entries({ ...all, ...files })) {
    writeFileSync(join(path, file), text);
  }
  return path;
}

/** Runs one of the installed tools; @returns all that it prints */
async function run(cwd: string, script: string, ...args: string[]): Promise<string> {
  const tool = join(folder, 'node_modules', script);
  const options = ['--experimental-vm-modules', '--no-warnings', tool, ...args];
  const env = { PATH: process.env['PATH'], NO_COLOR: '1', CI: '1' };
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, options, { cwd, env });
    return stdout + stderr;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(stdout + stderr, { cause: error });
  }
}

test('the test is short enough to be written', () => {
  const [, body = ''] = /^test\([^\n]*\n(.*?)^\}\);$/ms.exec(vitestTest) ?? [];
  expect(body.split('\n').length).toBeLessThan(15);
});

test('it passes with Vitest', async () => {
  const path = project('with-vitest', { 'src/emails.test.ts': vitestTest });
  expect(await run(path, 'vitest/vitest.mjs', 'run')).toMatch(/Tests\s+1 passed/);
});

test('it passes with Jest', async () => {
  const path = project('with-jest', {
    'src/emails.test.ts': jestTest,
    'jest.config.js': jestConfig,
  });
  expect(await run(path, 'jest/bin/jest.js')).toMatch(/Tests:\s+1 passed/);
});

test('it compiles, against declarations that are checked too', async () => {
  const path = project('with-tsc', { 'src/emails.test.ts': vitestTest });
  await run(path, 'typescript/bin/tsc', '--noEmit', '--skipLibCheck', 'false');
});

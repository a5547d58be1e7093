import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepPrivateFile } from '../../src/adapters/private-file.js';

let folder: string;
let path: string;
let made: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'private-file-'));
  path = join(folder, 'data', 'word');
  made = 0;
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function keep(at = path) {
  return keepPrivateFile({
    path: at,
    what: 'a word',
    make: () => `word${++made}`,
    isValid: (content) => /^word\d+$/.test(content),
  });
}

test('makes the file once, for its owner alone, and reads it from then on', async () => {
  expect(await keep()).toBe('word1');
  expect(await keep()).toBe('word1');
  expect(made).toBe(1);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readFile(path, 'utf8')).toBe('word1\n');
});

test('leaves no draft behind', async () => {
  await Promise.all(Array.from({ length: 10 }, () => keep()));
  expect(await readdir(join(folder, 'data'))).toEqual(['word']);
});

test('all who start at once get the same content, and it is the one kept', async () => {
  for (let round = 0; round < 20; round++) {
    const at = join(folder, `data${round}`, 'word');
    const contents = await Promise.all(Array.from({ length: 16 }, () => keep(at)));
    expect(new Set(contents).size).toBe(1);
    expect(await readFile(at, 'utf8')).toBe(`${String(contents[0])}\n`);
  }
  expect(made).toBeGreaterThan(20); // They did race.
});

describe('refuses in one line that says how to mend it', () => {
  async function refusal(): Promise<unknown> {
    const error = await keep().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ name: 'CloudTasksError', code: 'FAILED_PRECONDITION' });
    return (error as Error).message;
  }

  test('a file that others may read', async () => {
    await keep();
    await chmod(path, 0o640);
    expect(await refusal()).toBe(
      `${path} is open to other users (mode 0640): run chmod 600 ${path}`,
    );
  });

  test.each(['', '\n', 'wordless', 'word1 word2', '\0'])('the content %j', async (content) => {
    await keep();
    await writeFile(path, content);
    expect(await refusal()).toBe(
      `${path} doesn't hold a word: delete it, and the next start makes a new one`,
    );
    expect(await readFile(path, 'utf8')).toBe(content);
  });

  test('a folder in its place', async () => {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await chmod(path, 0o700);
    expect(await refusal()).toMatch(/^can't read .*word \(EISDIR\): let this user .* by DATA_DIR$/);
  });

  test('a folder that is a file', async () => {
    await writeFile(join(folder, 'data'), '');
    expect(await refusal()).toMatch(
      /^can't read .*word \(ENOTDIR\): let this user .* by DATA_DIR$/,
    );
  });
});

test('a content with white space around it, as an editor leaves it, is taken without', async () => {
  await keep();
  await writeFile(path, '\nword7  \n');
  expect(await keep()).toBe('word7');
});

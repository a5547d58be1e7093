import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from '../../src/foundation/make-folder.js';

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'make-folder-'));
});

afterAll(() => rmSync(root, { recursive: true }));

test('makes what is missing, for this user only', () => {
  makeFolder(join(root, 'a/b/c'));
  makeFolder(join(root, 'a/b/c'));
  expect(statSync(join(root, 'a/b/c')).mode & 0o777).toBe(0o700);
  expect(statSync(join(root, 'a')).mode & 0o777).toBe(0o700);
});

test('says why it can’t', () => {
  writeFileSync(join(root, 'file'), '');
  for (const path of ['file', 'file/x']) {
    expect(() => makeFolder(join(root, path))).toThrow(
      expect.objectContaining({ code: 'ENOTDIR' }),
    );
  }
  // The one folder where a parent that is there is said to be missing.
  expect(() => makeFolder('/proc/nope/x')).toThrow(
    expect.objectContaining({ code: expect.stringMatching(/^E/) }),
  );
});

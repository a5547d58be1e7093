/** Makes a folder and those above it. */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Private to this user where it is new; one that is there stays as it is.
 *
 * Not `recursive` of `mkdirSync` itself, which under `/proc` tries again for ever: there the
 * system says that a parent is missing when it isn't.
 *
 * @throws the system's error, with its `code`: ENOTDIR where it or one above it is a file
 */
export function makeFolder(path: string): void {
  const parent = dirname(path);
  if (!existsSync(parent)) makeFolder(parent);
  try {
    mkdirSync(path, 0o700);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (statSync(path).isDirectory()) return;
    throw Object.assign(new Error(`${path} is not a folder`, { cause: error }), {
      code: 'ENOTDIR',
    });
  }
}

/** Tells whether this user can write in a folder, without making it. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Finding } from './finding.js';
import { codeOf, fail, ok } from './finding.js';

/** @param setting the variable that names it */
export function folderFinding(setting: string, path: string): Finding {
  // Of one that isn't there yet, the nearest that is: there it will be made.
  let nearest = resolve(path);
  while (!existsSync(nearest)) nearest = dirname(nearest);
  try {
    accessSync(nearest, constants.R_OK | constants.W_OK | constants.X_OK);
    if (!statSync(nearest).isDirectory()) throw new Error('it is a file');
  } catch (error) {
    return fail(
      setting,
      `${nearest} can't be written by this user (${codeOf(error)})`,
      `Let this user write there, or name another by ${setting}`,
    );
  }
  return nearest === resolve(path)
    ? ok(setting, `${path} can be written`)
    : ok(setting, `${path} will be made by the first start`);
}

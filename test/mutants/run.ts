/**
 * Puts mistakes into what decides who gets in and what gets out, one at a time and in a copy, and
 * tells which of them no test finds:
 *
 *   npm run test:mutants
 *   npm run test:mutants -- verifier --only 3
 *
 * Ends with status 1 when fewer than nine of ten are found.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Mutant } from './mutant.js';

interface List {
  readonly load: () => Promise<{ readonly MUTANTS: readonly Mutant[] }>;
  /** By file, the tests that are nearest to it: they find most, in a second. */
  readonly nearest: Readonly<Record<string, string>>;
  /** The paths of all that concern it: those of the parts, then those of the whole app. */
  readonly tests: readonly (readonly string[])[];
}

const LISTS: Readonly<Record<string, List>> = {
  verifier: {
    load: () => import('./verifier.js'),
    nearest: {
      'src/modules/auth/id-token.ts': 'test/modules/auth/oidc-verifier',
      'src/modules/auth/oidc-verifier.ts': 'test/modules/auth/oidc-verifier',
      'src/modules/auth/key-set.ts': 'test/modules/auth/key-set',
      'src/modules/auth/envelope.ts': 'test/modules/auth/envelope',
      'src/modules/auth/enveloped-request.ts': 'test/modules/auth/sealed-tasks',
      'src/modules/auth/task-seals.ts': 'test/modules/auth/task-seals',
      'src/modules/auth/app-engine-dispatch.ts': 'test/modules/auth/app-engine-guard',
      'src/modules/auth/public-probe.ts': 'test/modules/auth/cloud-run-guard',
      'src/modules/auth/iap-verifier.ts': 'test/modules/producer/producer-auth',
      'src/modules/auth/task-authenticator.ts': 'test/modules/auth/.*-guard',
    },
    tests: [
      ['test/modules/auth/', 'test/modules/producer/producer-auth'],
      ['test/abuse/cases-a', 'test/abuse/cases-b'],
    ],
  },
  outbound: {
    load: () => import('./outbound.js'),
    nearest: { 'src/foundation/header-rules.ts': 'test/foundation/header-rules' },
    tests: [
      ['test/outbound/', 'test/foundation/header-rules', 'test/modules/outbound'],
      ['test/abuse/cases-e'],
    ],
  },
};

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const WANTED = 0.9;
/** A mistake that makes a test wait for ever is found too. */
const LONGEST_RUN_MS = 180_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' } },
});
const copy = mkdtempSync(join(tmpdir(), 'mutants-'));
try {
  for (const part of [
    'src',
    'test',
    'docs',
    'examples',
    'package.json',
    'tsconfig.json',
    'jest.config.js',
  ]) {
    cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const names = positionals.length > 0 ? positionals : Object.keys(LISTS);
  for (const name of names) {
    const list = LISTS[name];
    if (!list)
      throw new Error(`There is no list '${name}', only ${Object.keys(LISTS).join(', ')}.`);
    if (!(await isFound(name, list))) process.exitCode = 1;
  }
} finally {
  rmSync(copy, { recursive: true });
}

/** Whether enough of a list's mistakes are. */
async function isFound(name: string, { load, nearest, tests }: List): Promise<boolean> {
  const { MUTANTS } = await load();
  for (const mutant of MUTANTS) mutated(mutant);
  for (const paths of tests) {
    // Or what fails already would be said to have found everything.
    if ((await outcome(paths)) !== 'passed') throw new Error(`${paths.join(' ')}: fails as it is.`);
  }
  const survivors: string[] = [];
  let count = 0;
  for (const [index, mutant] of MUTANTS.entries()) {
    if (values.only !== undefined && Number(values.only) !== index) continue;
    count++;
    const line = `${name} ${index}: ${mutant.file}: ${mutant.why}`;
    const near = nearest[mutant.file];
    const found = await findsIt(mutant, near === undefined ? tests : [[near], ...tests]);
    console.log(found ? `killed    ${line} (${found})` : `SURVIVED  ${line}`);
    if (!found) survivors.push(line);
  }
  const share = (count - survivors.length) / count;
  console.log(`${name}: ${count - survivors.length} of ${count} killed.`);
  return share >= WANTED;
}

/** @returns what found it, or undefined */
async function findsIt(mutant: Mutant, tests: List['tests']): Promise<string | undefined> {
  const path = join(copy, mutant.file);
  const original = readFileSync(path, 'utf8');
  writeFileSync(path, mutated(mutant));
  try {
    for (const paths of tests) {
      const result = await outcome(paths);
      if (result !== 'passed') return `${result}: ${paths.join(' ')}`;
    }
    return undefined;
  } finally {
    writeFileSync(path, original);
  }
}

/** @throws Error for a mutant that fits nowhere, or in two places */
function mutated({ file, from, to, why }: Mutant): string {
  const text = readFileSync(join(copy, file), 'utf8');
  const parts = text.split(from);
  if (parts.length !== 2) {
    throw new Error(`${file}: '${from}' is there ${parts.length - 1} times, for: ${why}`);
  }
  return parts.join(to);
}

/** @throws Error where the tests could not even be loaded: then it is no mistake, but nonsense */
async function outcome(paths: readonly string[]): Promise<'passed' | 'failed' | 'endless'> {
  const jest = spawn(
    process.execPath,
    [
      ...['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'],
      ...['--bail', '--forceExit', '--testTimeout=30000', ...paths],
    ],
    {
      cwd: copy,
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: LONGEST_RUN_MS,
      killSignal: 'SIGKILL',
    },
  );
  const [told, [status, signal]] = await Promise.all([
    text(jest.stderr),
    once(jest, 'exit') as Promise<[number | null, string | null]>,
  ]);
  if (signal !== null) return 'endless';
  if (status === 0) return 'passed';
  if (/^Tests: .*\d failed/m.test(told)) return 'failed';
  throw new Error(`${paths.join(' ')}: can't be loaded.\n${told}`);
}

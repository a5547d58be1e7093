// What the package promises to those who install it, and its lockfile to those who develop it.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from '@jest/globals';
import { minVersion, satisfies } from 'semver';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

interface Manifest {
  readonly engines: { readonly node: string };
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
}

interface Lockfile {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  readonly dev?: boolean;
  readonly engines?: { readonly node?: string };
}

const text = (file: string) => readFileSync(`${ROOT}${file}`, 'utf8');
const manifest = JSON.parse(text('package.json')) as Manifest;
let packed: string[];

beforeAll(async () => {
  // Without scripts, since `prepack` would build under the feet of tests that run what is built.
  const { stdout } = await promisify(execFile)(
    'npm',
    ['pack', '--dry-run', '--json', '--ignore-scripts'],
    { cwd: ROOT, maxBuffer: 16 * 1024 * 1024 },
  );
  packed = (JSON.parse(stdout) as [{ files: { path: string }[] }])[0].files.map(({ path }) => path);
}, 60_000);

test('the package holds what was built and its papers, nothing else', () => {
  const top = new Set(packed.map((path) => path.replace(/\/.*/, '')));
  expect([...top].sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'package.json']);
  expect(packed.filter((path) => path.startsWith('dist/') && !/\.(js|d\.ts)$/.test(path))).toEqual(
    [],
  );
});

test('every entry that the package names is in it', () => {
  const entries = [
    ...Object.values(manifest.bin),
    ...Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : Object.values(entry),
    ),
  ];
  expect(packed).toEqual(
    expect.arrayContaining(entries.map((entry) => entry.replace(/^\.\//, ''))),
  );
});

test('the library and its test kit are what can be imported, each with its types first', () => {
  const { './package.json': own, ...entries } = manifest.exports;
  expect(own).toBe('./package.json');
  expect(Object.keys(entries)).toEqual(['.', './testing']);
  for (const entry of Object.values(entries)) {
    const [types, code, ...others] = Object.entries(entry);
    expect(others).toEqual([]);
    expect(types).toEqual(['types', expect.stringMatching(/^\.\/dist\/.*\.d\.ts$/)]);
    expect(code).toEqual(['default', types?.[1].replace(/\.d\.ts$/, '.js')]);
  }
});

test('a command is executable as it stands', () => {
  for (const file of Object.values(manifest.bin)) {
    expect(text(file)).toMatch(/^#!\/usr\/bin\/env node\n/);
  }
});

test('the lockfile names no registry, so that each clone uses its own', () => {
  expect(/"resolved".*/.exec(text('package-lock.json'))?.[0]).toBeUndefined();
});

test('dependencies run on the lowest Node that we promise, tools on the one in use', () => {
  const lowest = minVersion(manifest.engines.node)?.version ?? 'none';
  const { packages } = JSON.parse(text('package-lock.json')) as Lockfile;
  const misfits = Object.entries(packages).filter(
    ([, { dev, engines }]) =>
      !satisfies(dev === true ? process.version : lowest, engines?.node ?? '*'),
  );
  expect(misfits).toEqual([]);
});

// Proves that every rule of the architecture bites: the real tools run over the examples in
// fixtures/, a small project laid out like ours, where a line that breaks a rule says which.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('fixtures/', import.meta.url));

interface Finding {
  /** File and line, or for a rule on imports file and what is imported. */
  readonly where: string;
  readonly rule: string;
  readonly message?: string;
}

interface Restriction {
  readonly rule: string;
  /** The global, property or import that the rule lists; absent when it is about one thing. */
  readonly name?: string;
  readonly reason?: string;
}

let importRules: Restriction[];
let lintRules: Restriction[];
let marks: Finding[];
let found: Finding[];

beforeAll(async () => {
  const imports = await cruise();
  importRules = imports.rules;
  lintRules = await restrictions();
  marks = await marksOf(new Set(importRules.map(({ rule }) => rule)));
  found = [...imports.found, ...(await lint())];
}, 120_000);

test('each example breaks exactly the rules that it says it breaks', () => {
  const order = (findings: Finding[]) =>
    findings.map(({ where, rule }) => `${where} ${rule}`).sort();
  expect(order(found)).toEqual(order(marks));
});

test('every rule has an example that breaks it', () => {
  expect(unproved(importRules, found)).toEqual([]);
  expect(unproved(lintRules, found)).toEqual([]);
});

test('a rule without an example, and a name without one in a rule that has some, are noticed', () => {
  const newRule = { rule: 'modules-are-blue' };
  const newName = { rule: 'no-restricted-globals', name: 'navigator', reason: 'It sails away.' };
  expect(unproved([...importRules, newRule], found)).toEqual([newRule]);
  expect(unproved([...lintRules, newName], found)).toEqual([newName]);
});

test('every rule gives its reason', () => {
  for (const { rule, name, reason } of [...importRules, ...lintRules.filter(({ name }) => name)]) {
    expect({ rule, name, reason }).toEqual({ rule, name, reason: expect.stringMatching(/.{30}/) });
  }
  for (const { rule, message } of found.filter(({ rule }) => rule.startsWith('architecture/'))) {
    expect({ rule, message }).toEqual({ rule, message: expect.stringMatching(/.{30}/) });
  }
});

/** What no finding proves: neither its rule nor, where it lists names, the name with its reason. */
function unproved(rules: readonly Restriction[], findings: readonly Finding[]): Restriction[] {
  return rules.filter(
    ({ rule, name, reason = '' }) =>
      !findings.some(
        (finding) =>
          finding.rule === rule &&
          (name === undefined ||
            (finding.message?.includes(`'${name}'`) && finding.message.includes(reason))),
      ),
  );
}

async function marksOf(onImports: ReadonlySet<string>): Promise<Finding[]> {
  const marks: Finding[] = [];
  for await (const file of glob('**/*.ts', { cwd: EXAMPLES })) {
    for (const [index, line] of readFileSync(join(EXAMPLES, file), 'utf8').split('\n').entries()) {
      const imported = /(?:from|import) '(?:node:)?([^']+)'/.exec(line)?.[1] ?? '';
      for (const rule of /breaks: (.+)/.exec(line)?.[1]?.split(' ') ?? []) {
        const place = onImports.has(rule) ? imported : String(index + 1);
        marks.push({ where: `${file}:${place}`, rule });
      }
    }
  }
  return marks;
}

interface CruiseReport {
  readonly modules: {
    readonly source: string;
    readonly dependencies: { readonly module: string; readonly rules?: { name: string }[] }[];
  }[];
  readonly summary: {
    readonly ruleSetUsed: { readonly forbidden: { readonly name: string; comment?: string }[] };
  };
}

async function cruise(): Promise<{ rules: Restriction[]; found: Finding[] }> {
  const report = (await run('dependency-cruiser/bin/dependency-cruise.mjs', [
    ...['--config', join(ROOT, '.dependency-cruiser.js'), '--output-type', 'json'],
    ...['src', 'test', 'bench'],
  ])) as CruiseReport;
  return {
    rules: report.summary.ruleSetUsed.forbidden.map(({ name, comment = '' }) => ({
      rule: name,
      reason: comment,
    })),
    found: report.modules.flatMap(({ source, dependencies }) =>
      dependencies.flatMap(({ module, rules = [] }) =>
        rules.map(({ name }) => ({ where: `${source}:${module}`, rule: name })),
      ),
    ),
  };
}

type LintReport = {
  readonly filePath: string;
  readonly messages: { readonly line: number; readonly ruleId: string; readonly message: string }[];
}[];

async function lint(): Promise<Finding[]> {
  const report = (await run('eslint/bin/eslint.js', [
    ...['--config', join(ROOT, 'eslint.config.js'), '--format', 'json', '.'],
  ])) as LintReport;
  return report.flatMap(({ filePath, messages }) =>
    messages.map(({ line, ruleId, message }) => ({
      where: `${relative(EXAMPLES, filePath)}:${String(line)}`,
      rule: ruleId,
      message,
    })),
  );
}

/** Runs a tool of ours over the examples. That it finds something is no failure here. */
function run(tool: string, args: readonly string[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [join(ROOT, 'node_modules', tool), ...args],
      { cwd: EXAMPLES, maxBuffer: 64 * 1024 * 1024 },
      (_error, stdout, stderr) => {
        try {
          resolve(JSON.parse(stdout));
        } catch {
          reject(new Error(`${tool} gave no JSON: ${stdout.slice(0, 500)}${stderr}`));
        }
      },
    );
  });
}

type Listed = { readonly name: string; readonly message: string }[];

/** Every rule in eslint.architecture.js, with the names that the general ones among them list. */
async function restrictions(): Promise<Restriction[]> {
  // A variable, since TypeScript would want types for a file that only ESLint reads.
  const file = '../../eslint.architecture.js';
  const { default: blocks } = (await import(file)) as {
    default: { readonly rules: Readonly<Record<string, unknown>> }[];
  };
  return blocks.flatMap(({ rules }) =>
    Object.entries(rules).flatMap(([rule, setting]): Restriction[] =>
      Array.isArray(setting)
        ? setting.slice(1).flatMap((options) => listed(rule, options as Options))
        : [{ rule }],
    ),
  );
}

interface Options {
  readonly globals?: Listed;
  readonly paths?: Listed;
  readonly object?: string;
  readonly property?: string;
  readonly message?: string;
}

function listed(rule: string, options: Options): Restriction[] {
  const { globals, paths, object = '', property = '', message = '' } = options;
  const names = globals ?? paths ?? [{ name: `${object}.${property}`, message }];
  return names.map(({ name, message: reason }) => ({ rule, name, reason }));
}

/** docs/settings.md says of every setting what the app does with it. */
import { describe, expect, test } from '@jest/globals';
import { readSettings } from '../../src/config.js';
import type { Variables } from '../../src/settings/names.js';
import { SETTING_NAMES } from '../../src/settings/names.js';
import { Markdown } from '../support/markdown.js';

const doc = new Markdown('docs/settings.md');
const rows = doc
  .table('Variable', 'Default', 'On Google', 'What it is', 'Must be')
  .map((row) => ({ ...row, name: row.Variable.slice(1, -1) }));

/** What is required there. */
const GOOGLE: Variables = {
  TASKS_BACKEND: 'google',
  HOST: '127.0.0.1',
  PRODUCER_AUTH: 'none',
  PROJECT_ID: 'my-project',
  SERVICE_URL: 'https://app.example.com',
  SERVICE_ACCOUNT: 'tasks@my-project.iam.gserviceaccount.com',
};

const WRONG = 'not a value!';

function refusal(variables: Variables): string {
  try {
    readSettings(variables);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`accepted ${JSON.stringify(variables)}`);
}

/** The value that a cell is, and nothing else. */
function literal(cell: string): string | undefined {
  return /^`([^`]+)`$/.exec(cell)?.[1];
}

/** `NAME=value` pairs at the beginning of a line of shell. */
function assignments(line: string): Variables {
  const pairs = /^(?:[A-Z_]+=(?:'[^']*'|\S+)\s*)*/.exec(line)?.[0] ?? '';
  return Object.fromEntries(
    [...pairs.matchAll(/([A-Z_]+)=(?:'([^']*)'|(\S+))/g)].map(([, name, quoted, plain]) => [
      name,
      quoted ?? plain,
    ]),
  ) as Variables;
}

test('the table has all settings, and no others', () => {
  expect(rows.map(({ name }) => name).sort()).toEqual([...SETTING_NAMES].sort());
});

describe('what the app takes where nothing is set', () => {
  // Defaults in words follow from other settings.
  const valued = rows.filter(({ Default }) => literal(Default) !== undefined);

  test.each(valued)('$name: $Default', ({ name, Default }) => {
    expect(readSettings({ [name]: literal(Default) })).toEqual(readSettings({}));
  });

  test.each(rows.filter((row) => row.Default === 'refused'))('not $name', ({ name }) => {
    expect(refusal({ TASKS_BACKEND: 'embedded', [name]: WRONG })).toMatch(
      `${name}: expected nothing with TASKS_BACKEND=embedded`,
    );
  });
});

describe('on Google', () => {
  const on = (cell: string) => rows.filter((row) => row['On Google'] === cell);

  test.each(on('refused'))('not $name', ({ name }) => {
    expect(refusal({ ...GOOGLE, [name]: WRONG })).toMatch(
      `${name}: expected nothing with TASKS_BACKEND=google`,
    );
  });

  test('what is required, and nothing else', () => {
    const needed = Object.keys(GOOGLE).filter((name) => !['TASKS_BACKEND', 'HOST'].includes(name));
    expect(on('required').map(({ name }) => name)).toEqual(expect.arrayContaining(needed));
    expect(on('required')).toHaveLength(needed.length);
  });

  test.each(on('required'))('$name', ({ name }) => {
    expect(refusal({ ...GOOGLE, [name]: '' })).toMatch(`${name}: expected `);
  });

  test('AUTH_MODE, and HOST, which asks for a check of who may enqueue', () => {
    expect(on('`oidc`').map(({ name }) => name)).toEqual(['AUTH_MODE']);
    expect(readSettings(GOOGLE).auth.mode).toBe('oidc');
    expect(on('`0.0.0.0`').map(({ name }) => name)).toEqual(['HOST']);
    expect(refusal({ ...GOOGLE, HOST: '' })).toMatch('whoever reaches 0.0.0.0');
  });
});

test.each(rows)('$name must be: $Must be', (row) => {
  const { name } = row;
  const expected = row['Must be'];
  const base = row.Default === 'refused' ? GOOGLE : {};
  if (expected === '') {
    expect(readSettings({ ...base, [name]: WRONG })).not.toEqual(readSettings(base));
  } else {
    const wrong = name.endsWith('_SECRET') ? 'another value (not shown)' : `'${WRONG}'`;
    expect(refusal({ ...base, [name]: WRONG })).toBe(`${name}: expected ${expected}, got ${wrong}`);
  }
});

test.each(doc.table('Given', 'Error'))('$Given', (row) => {
  expect(refusal(assignments(literal(row.Given) ?? ''))).toBe(row.Error);
});

test('a setting that is wrong looks like the example', () => {
  const [example = ''] = doc.code('console');
  const [command = '', shown] = example.split('\n');
  expect(shown).toBe(`nest-cloud-tasks: ${refusal(assignments(command.replace('$ ', '')))}`);
});

test('every recipe starts', () => {
  const lines = doc
    .code('sh')
    .flatMap((block) => block.replaceAll('\\\n', ' ').trim().split('\n'))
    .filter((line) => line.endsWith('npm start'));
  expect(lines.length).toBeGreaterThan(4);
  for (const line of lines) {
    const given = assignments(line);
    expect({ line, names: Object.keys(given) }).not.toEqual({ line, names: [] });
    expect(readSettings(given)).toBeDefined();
  }
});

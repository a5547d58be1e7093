/** docs/deploy/: its prices add up, and its commands and tables are those of what is deployed. */
import { expect, test } from '@jest/globals';
import { globSync, readFileSync } from 'node:fs';
import { Markdown } from '../support/markdown.js';

const text = (file: string) => readFileSync(file, 'utf8');

/** A million operations are free, the next cost 0.40 dollars a million. */
function price(operations: number): string {
  const dollars = Math.max(0, operations - 1e6) * 0.4e-6;
  return dollars === 0 ? 'nothing' : `$${dollars.toFixed(2)}`;
}

test('what Cloud Tasks costs counts creates and attempts', () => {
  const rows = new Markdown('docs/deploy/README.md').table(
    'A month',
    'Operations, all delivered at once',
    'One in ten tried twice',
    'Cloud Tasks costs',
  );
  expect(rows).toHaveLength(4);
  for (const row of rows) {
    const [, count = '', unit] = /^([\d,.]+)( million)?/.exec(row['A month']) ?? [];
    const tasks = Number(count.replaceAll(',', '')) * (unit === undefined ? 1 : 1e6);
    const [least, most] = [2 * tasks, 2.1 * tasks];
    expect(row['Operations, all delivered at once']).toBe(`${least / 1e6} million`);
    expect(row['One in ten tried twice']).toBe(`${most / 1e6} million`);
    const costs = [...new Set([price(least), price(most)])].join(' to ');
    expect(row['Cloud Tasks costs']).toBe(costs);
  }
});

test("every variable of Terraform's is in the table, and no other", () => {
  const rows = new Markdown('docs/deploy/terraform.md').table('Variable', 'Default', 'What it is');
  const documented = rows.flatMap(({ Variable }) =>
    [...Variable.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
  );
  const inAlerts = ['alert_email', 'alerts'];
  const declared = [...text('deploy/terraform/variables.tf').matchAll(/^variable "(\w+)"/gm)].map(
    ([, name = '']) => name,
  );
  expect(documented.sort()).toEqual(declared.sort());
  expect(declared).toEqual(expect.arrayContaining(inAlerts));
});

test('the accounts are those that are made', () => {
  const rows = new Markdown('docs/deploy/cloud-run.md').table('What', 'Name', 'May');
  const documented = rows.flatMap(({ What, Name }) =>
    /account|service/.test(What) ? (Name.match(/tasks-\w+/g) ?? []) : [],
  );
  const made = [...text('deploy/setup-env.sh').matchAll(/make_account (\w+)/g)].map(
    ([, name = '']) => `tasks-${name}`,
  );
  const ofCloudRun = made.filter((name) => name !== 'tasks-app');
  expect(new Set(documented)).toEqual(new Set(ofCloudRun));
  const [, block = ''] =
    /for_each = \{\n([^}]*)\}/.exec(text('deploy/terraform/identities.tf')) ?? [];
  const byTerraform = [...block.matchAll(/^ +(\w+) +=/gm)].map(([, name = '']) => `tasks-${name}`);
  expect(new Set(byTerraform)).toEqual(new Set(ofCloudRun));
});

test('every secret and setting that is named exists', () => {
  const known = [text('docs/settings.md'), text('deploy/terraform/variables.tf')].join('\n');
  for (const file of globSync('docs/deploy/*.md')) {
    for (const [, name = ''] of text(file).matchAll(/`([A-Z][A-Z]+_[A-Z_]+)`/g)) {
      expect(known).toContain(name);
    }
    for (const [, script = ''] of text(file).matchAll(/^(deploy\/[\w-]+\.sh) /gm)) {
      expect(text(script)).toMatch(/^#!/);
    }
    for (const [, script = ''] of text(file).matchAll(/npm run (test:[\w-]+)/g)) {
      expect(text('package.json')).toContain(`"${script}":`);
    }
  }
});

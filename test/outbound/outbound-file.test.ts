/** The outbound rules as a file: what its fields become, and how an error is told. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HOUR, SECOND } from '../../src/engine/time.js';
import { readOutboundFile } from '../../src/outbound/outbound-file.js';
import { OutboundPolicy } from '../../src/outbound/outbound-policy.js';
import type { RuleSurroundings } from '../../src/outbound/outbound-rule.js';
import { Markdown } from '../support/markdown.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'outbound-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const AROUND: RuleSurroundings = {
  loopback: 'by-rule',
  isOwnAudience: (audience) => audience === 'ours',
  others: [{ origin: 'https://listed.example.com' }],
};

function read(yaml: string, around = AROUND) {
  const file = join(folder, 'outbound.yaml');
  writeFileSync(file, yaml);
  return readOutboundFile(file, around);
}

function refusal(yaml: string, around = AROUND): string {
  try {
    read(yaml, around);
  } catch (error) {
    expect(error).toMatchObject({ name: 'CloudTasksError', code: 'INVALID_ARGUMENT' });
    return (error as Error).message.replace(`${folder}/`, '');
  }
  throw new Error(`accepted ${yaml}`);
}

test('the example is what the document shows, and is read', () => {
  const [shown = ''] = new Markdown('docs/outbound.md').code('yaml');
  const rules = readOutboundFile('examples/outbound.yaml', AROUND);
  expect(rules).toEqual(read(shown));
  expect(rules).toEqual([
    {
      origin: 'https://api.partner.example',
      pathPrefix: '/v1/jobs',
      audience: 'https://api.partner.example',
      serviceAccount: 'partner-calls@my-project.iam.gserviceaccount.com',
      timeout: 2 * HOUR,
      concurrency: 20,
      permanent: [409],
      transient: [404],
    },
    { origin: 'https://*.hooks.example.com', timeout: 30 * SECOND },
    {
      origin: 'https://legacy.example.com:8443',
      allowCallerAuth: true,
      headers: ['X-Goog-Channel-Id'],
    },
  ]);
});

test('the document tells of every field, and of its mistake', () => {
  const doc = new Markdown('docs/outbound.md');
  const named = doc
    .table('Field', 'Meaning', 'Without it')
    .flatMap(({ Field }) => [...Field.matchAll(/`(\w+)`/g)].map(([, name]) => name));
  const message = refusal('rules:\n  - origin: https://a.example.com\n    x: 1\n');
  expect(message).toBe(
    `outbound.yaml:3: rules[0].x: not a field here, expected one of ${named.join(', ')}`,
  );
  const shown = readFileSync('docs/outbound.md', 'utf8');
  const slip = refusal('rules:\n  - origin: https://a.example.com\n    audiance: x\n');
  expect(shown).toContain(`nest-cloud-tasks: ${slip}`);
});

test('an empty list allows nothing', () => {
  expect(read('rules: []\n')).toEqual([]);
});

const ORIGIN = 'rules:\n  - origin: https://a.example.com\n    ';

describe('refuses', () => {
  test.each([
    ['', 'outbound.yaml:1: expected rules:, got nothing'],
    ['rules:\n', 'outbound.yaml:1: rules: expected a list, got nothing'],
    ['rule: []\n', 'outbound.yaml:1: rule: not a field here, did you mean rules?'],
    ['rules:\n  - timeout: 1s\n', 'outbound.yaml:2: rules[0]: expected an origin, got none'],
    [
      'rules:\n  - origin: http://a.example.com\n',
      'outbound.yaml:2: rules[0].origin: expected https, but for loopback addresses',
    ],
    [
      'rules:\n  - origin: https://listed.example.com\n',
      'outbound.yaml:2: rules[0].origin: expected https://listed.example.com once, or with other path prefixes',
    ],
    [
      `${ORIGIN}audience: https://a.example.com\n  - origin: https://a.example.com\n`,
      'outbound.yaml:4: rules[1].origin: expected https://a.example.com once, or with other path prefixes',
    ],
    [
      `${ORIGIN}audience: ours\n`,
      "outbound.yaml:3: rules[0].audience: expected another audience than the handlers' own",
    ],
    [
      `${ORIGIN}timeout: 30\n`,
      "outbound.yaml:3: rules[0].timeout: expected a duration such as '30s', '10m' or '2h', got 30",
    ],
    [`${ORIGIN}timeout: 25h\n`, "outbound.yaml:3: rules[0].timeout: expected from '1s' to '24h'"],
    [
      `${ORIGIN}permanent: [ok]\n`,
      "outbound.yaml:3: rules[0].permanent[0]: expected an HTTP status, got 'ok'",
    ],
    [
      `${ORIGIN}permanent: [200]\n`,
      'outbound.yaml:3: rules[0].permanent: expected HTTP statuses from 300 to 599',
    ],
    [
      `${ORIGIN}allowCallerAuth: yes\n`,
      "outbound.yaml:3: rules[0].allowCallerAuth: expected 'true' or 'false', got 'yes'",
    ],
    [
      `${ORIGIN}headers: [Metadata-Flavor]\n`,
      "outbound.yaml:3: rules[0].headers: expected 'Cookie' or names that begin with 'X-Goog-'",
    ],
  ])('%j', (yaml, message) => {
    expect(refusal(yaml)).toBe(message);
  });

  test('loopback where nothing may stay on this machine', () => {
    const yaml = 'rules:\n  - origin: http://127.0.0.1:9000\n';
    expect(read(yaml)).toEqual([{ origin: 'http://127.0.0.1:9000' }]);
    expect(refusal(yaml, { ...AROUND, loopback: 'refused' })).toBe(
      'outbound.yaml:2: rules[0].origin: expected an origin outside of this machine',
    );
  });

  test('a file that is not there', () => {
    const read = () => OutboundPolicy.read({ rules: [], file: 'no/such.yaml' });
    expect(read).toThrow('no/such.yaml: there is no such file');
  });
});

test('a policy has the rules of both, and judges them together', () => {
  const file = join(folder, 'more.yaml');
  writeFileSync(file, 'rules:\n  - origin: https://b.example.com\n');
  const policy = OutboundPolicy.read({ rules: [{ origin: 'https://a.example.com' }], file });
  expect(policy.permit('https://a.example.com/').rule.origin).toBe('https://a.example.com');
  expect(policy.permit('https://b.example.com/').rule.origin).toBe('https://b.example.com');
  const twice = () => OutboundPolicy.read({ rules: [{ origin: 'https://b.example.com' }], file });
  expect(twice).toThrow(
    /more\.yaml:2: rules\[0\]\.origin: expected https:\/\/b\.example\.com once/,
  );
});

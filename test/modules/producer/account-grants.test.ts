/** What each account may enqueue, as a file says it: the grants of an API key, for callers with tokens. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readAccountFile } from '../../../src/modules/producer/account-file.js';
import { TestApp } from '../../support/test-app.js';
import { TestIssuer } from '../../support/test-issuer.js';

const folder = mkdtempSync(join(tmpdir(), 'accounts-'));
const path = join(folder, 'accounts.yaml');
afterAll(() => rmSync(folder, { recursive: true }));

const BILLING = 'billing@my-project.iam.gserviceaccount.com';
const CRM = 'crm@my-project.iam.gserviceaccount.com';

const FILE = `accounts:
  ${BILLING}:
    queues: [mail, default]
    tasks: [/tasks/send-email]
    rate: 2
  ${CRM}:
`;

describe('the file', () => {
  test('says what each may do; what it leaves out is as for an API key', () => {
    writeFileSync(path, FILE);
    expect(Object.fromEntries(readAccountFile(path))).toEqual({
      [BILLING]: {
        queues: ['mail', 'default'],
        tasks: ['/tasks/send-email'],
        external: false,
        rate: 2,
      },
      [CRM]: { external: false, rate: 600 },
    });
  });

  test.each([
    ['', ':1: expected accounts:, got none'],
    ['accounts:', ':1: expected accounts:, got none'],
    ['accounts: {}', 'expected one account or more'],
    ['account: {}', ':1: account: not a field here, did you mean accounts?'],
    ['accounts:\n  billing:\n', ':2: accounts.billing: expected an address such as'],
    [
      `accounts:\n  ${CRM}: { queue: mail }`,
      `:2: accounts.${CRM}.queue: not a field here, did you`,
    ],
    [`accounts:\n  ${CRM}:\n    queues: []`, 'expected a queue id or more, got a list'],
    [
      `accounts:\n  ${CRM}:\n    queues: [a/b]`,
      ":3: accounts.crm@my-project.iam.gserviceaccount.com.queues[0]: expected a queue id, got 'a/b'",
    ],
    [
      `accounts:\n  ${CRM}: { tasks: [tasks/a] }`,
      "expected the path of a handler such as '/tasks/send-email'",
    ],
    [`accounts:\n  ${CRM}: { external: 'yes' }`, "expected 'true' or 'false', got 'yes'"],
    [`accounts:\n  ${CRM}: { rate: 0 }`, 'expected a whole number from 1 to 100000, got 0'],
    [`accounts:\n  ${CRM}: {}\n  ${CRM}: {}`, 'not valid YAML'],
  ])('%j is refused', (text, expected) => {
    writeFileSync(path, text);
    expect(() => readAccountFile(path)).toThrow(expected);
  });
});

describe('a caller with a token', () => {
  const AUDIENCE = 'https://producer.example.com';
  let issuer: TestIssuer;
  let app: TestApp;

  beforeAll(async () => {
    issuer = await TestIssuer.start();
  });
  afterAll(() => issuer.close());
  beforeEach(async () => {
    writeFileSync(path, FILE);
    app = await TestApp.start({
      PRODUCER_AUTH: 'oidc',
      PRODUCER_AUDIENCE: AUDIENCE,
      PRODUCER_ACCOUNTS_FILE: path,
      PRODUCER_ISSUER: issuer.url,
    });
    await app.api.pauseQueue({ name: app.queueName() });
  });
  afterEach(() => app.close());

  function enqueue(email: string, body: object, endpoint = '/add_task_app_engine') {
    const now = Math.floor(Date.now() / 1000);
    const token = issuer.first.sign(issuer.claims(now, { aud: AUDIENCE, email }));
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    return app.send('POST', endpoint, body, headers);
  }

  test('may enqueue what is granted, and nothing else', async () => {
    const relativeUri = '/tasks/send-email';
    expect((await enqueue(BILLING, { relativeUri })).status).toBe(202);
    const other = await enqueue(BILLING, { relativeUri: '/tasks/example' });
    expect(other).toMatchObject({
      status: 403,
      json: { code: 'PERMISSION_DENIED', field: 'relativeUri' },
    });
    expect(await app.tasks()).toHaveLength(1);
  });

  test('may not enqueue to another queue, nor for another server', async () => {
    expect(await enqueue(BILLING, { queue: 'sync' })).toMatchObject({
      status: 403,
      json: { code: 'PERMISSION_DENIED', field: 'queue' },
    });
    const url = 'http://127.0.0.1:9/';
    expect(await enqueue(CRM, { url }, '/add_task_external')).toMatchObject({
      status: 403,
      json: { code: 'PERMISSION_DENIED', field: 'url' },
    });
    expect((await enqueue(CRM, { relativeUri: '/tasks/example' })).status).toBe(202);
    expect(await app.tasks()).toHaveLength(1);
  });

  test('may come so often, each for itself, and then is told when to come again', async () => {
    const relativeUri = '/tasks/send-email';
    expect((await enqueue(BILLING, { relativeUri })).status).toBe(202);
    expect((await enqueue(BILLING, { relativeUri })).status).toBe(202);
    const { status, headers } = await enqueue(BILLING, { relativeUri });
    expect(status).toBe(429);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect((await enqueue(CRM, {})).status).toBe(202);
    expect(JSON.stringify(app.lines)).toContain(`${BILLING} came too often`);
  });

  test('that the file leaves out is not let in', async () => {
    expect((await enqueue('someone@my-project.iam.gserviceaccount.com', {})).status).toBe(403);
    expect(await app.tasks()).toEqual([]);
  });
});

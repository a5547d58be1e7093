/** The app with rules of a file: what tasks for other servers carry, and what is refused. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MINUTE } from '../../../src/engine/time.js';
import { OutboundClient } from '../../../src/outbound/outbound-client.js';
import { OutboundPolicy } from '../../../src/outbound/outbound-policy.js';
import { RawUpstream } from '../../support/raw-upstream.js';
import { TestApp } from '../../support/test-app.js';

const EXTERNAL = '/add_task_external';

let folder: string;
let upstream: RawUpstream;
let app: TestApp;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'outbound-'));
  upstream = await RawUpstream.listen();
  const file = join(folder, 'outbound.yaml');
  const rules = `rules:
  - origin: https://token.example.com
    pathPrefix: /v1
    audience: https://aud.example
    serviceAccount: partner@example.com
  - origin: https://own.example.com
    audience: https://own.example.com
  - origin: https://theirs.example.com
    allowCallerAuth: true
    headers: [Cookie]
  - origin: http://127.0.0.1:${upstream.port}
`;
  writeFileSync(file, rules);
  const variables = { OUTBOUND_FILE: file, EXTERNAL_ORIGINS: 'https://plain.example.com' };
  app = await TestApp.start({ ...variables, EXTERNAL_SERVICE_ACCOUNT: 'external@example.com' });
  await app.api.pauseQueue({ name: app.queueName() });
});

afterAll(async () => {
  await app.close();
  await upstream.close();
  rmSync(folder, { recursive: true });
});

async function enqueued(body: object) {
  const { status, json } = await app.send('POST', EXTERNAL, body);
  if (status !== 202) return json;
  const { name } = json as { name: string };
  const { httpRequest } = await app.api.getTask({ name, responseView: 'FULL' });
  return httpRequest;
}

test('the rule says which token, by whom', async () => {
  expect(await enqueued({ url: 'https://token.example.com/v1/x' })).toMatchObject({
    oidcToken: { serviceAccountEmail: 'partner@example.com', audience: 'https://aud.example' },
  });
  expect(await enqueued({ url: 'https://own.example.com/' })).toMatchObject({
    oidcToken: { serviceAccountEmail: 'external@example.com', audience: 'https://own.example.com' },
  });
  for (const url of ['https://theirs.example.com/', 'https://plain.example.com/']) {
    expect(await enqueued({ url })).not.toHaveProperty('oidcToken');
  }
});

test('and which headers a caller may set', async () => {
  const headers = { Authorization: 'Bearer theirs', Cookie: 'a=b' };
  const url = 'https://theirs.example.com/';
  expect(await enqueued({ url, headers })).toMatchObject({ headers });
  for (const url of ['https://plain.example.com/', 'https://own.example.com/']) {
    for (const [name, value] of Object.entries(headers)) {
      expect(await enqueued({ url, headers: { [name]: value } })).toMatchObject({
        statusCode: 400,
        field: 'headers',
      });
    }
  }
  expect(await enqueued({ url, headers: { 'Metadata-Flavor': 'Google' } })).toMatchObject({
    statusCode: 400,
  });
});

test('what no rule names is refused, this machine included', async () => {
  const urls = [
    'https://token.example.com/v2',
    'http://127.0.0.1:9',
    `http://localhost:${upstream.port}`,
    app.url,
    app.engineUrl,
  ];
  for (const url of urls) {
    expect(await enqueued({ url })).toMatchObject({ statusCode: 403, field: 'url' });
  }
});

test('the same policy and its client are there for whoever calls out', async () => {
  const target = app.app.get(OutboundPolicy).permit(`http://127.0.0.1:${upstream.port}/`);
  const client = app.app.get(OutboundClient);
  const { status, body } = await client.call(target, { method: 'GET', deadline: MINUTE });
  await body.toArray();
  expect([status, upstream.heads.length]).toEqual([200, 1]);
});

/** docs/endpoints.md shows what the app answers. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CODE, STATUS } from '../../src/app/error-filter.js';
import { ENQUEUING_PATHS } from '../../src/modules/producer/requested-task.js';
import { comparable, curl } from '../support/documented-curl.js';
import { Markdown } from '../support/markdown.js';
import { TestApp } from '../support/test-app.js';

const doc = new Markdown('docs/endpoints.md');

let app: TestApp;

beforeAll(async () => {
  app = await TestApp.start();
  // What the examples create needn't be sent to servers that aren't there.
  await app.api.pauseQueue({ name: app.queueName() });
});

afterAll(() => app.close());

interface Example {
  readonly command: string;
  readonly status: string;
  readonly body: string;
}

const examples = doc.code('console').map((block): Example => {
  const [command = '', status = '', ...body] = block.split('\n');
  return { command: command.replace(/^\$ /, ''), status, body: body.join('\n') };
});

describe('the examples, in their order', () => {
  test.each(examples)('$command', async ({ command, status, body }) => {
    const answer = await curl(command, app.url);
    expect({ ...answer, body: comparable(answer.body) }).toEqual({
      status,
      body: comparable(body),
    });
  });
});

test('every endpoint that the app tells of is in the table, and the other way round', async () => {
  const { json } = await app.send('GET', '/');
  const { endpoints } = json as { endpoints: Record<string, string> };
  const documented = doc
    .table('Endpoint', 'Who may call it', 'What it does')
    .map(({ Endpoint }) => /`([^`]+)`/.exec(Endpoint)?.[1] ?? '');
  expect([...documented].sort()).toEqual(['GET /', ...Object.keys(endpoints)].sort());
});

test('every endpoint has an example, but the second names', () => {
  const shown = examples.map(
    ({ command }) => new URL(/http:\S+/.exec(command)?.[0] ?? '').pathname,
  );
  for (const path of [
    ...ENQUEUING_PATHS,
    '/tasks/example',
    '/event-display',
    '/healthz',
    '/readyz',
  ]) {
    if (path !== '/do_external_task') expect(shown).toContain(path);
  }
});

test('the fields are those that the endpoints know', async () => {
  const answers = await Promise.all(
    ['/add_task_app_engine', '/add_task_external', '/add_task_relay'].map((path) =>
      app.send('POST', path, '{"?": 1}'),
    ),
  );
  const known = answers.flatMap(({ json }) => {
    const { message } = json as { message: string };
    return /known are (.*)\./.exec(message)?.[1]?.split(', ') ?? [];
  });
  const documented = doc
    .table('Field', 'Default', 'What it is')
    .flatMap(({ Field }) => Field.split(', ').map((name) => name.slice(1, -1)));
  expect([...new Set(documented)].sort()).toEqual([...new Set(known)].sort());
});

test('the errors are those that the app makes', () => {
  const made = [
    ...Object.entries(STATUS).map(([code, status]) => `${status} ${code}`),
    ...Object.entries(CODE).map(([status, code]) => `${status} ${code}`),
    ...[413, 415, 431].map((status) => `${status} INVALID_ARGUMENT`),
  ];
  const documented = doc
    .table('`statusCode`', '`code`', 'When')
    .map((row) => `${row['`statusCode`']} ${row['`code`'].slice(1, -1)}`);
  expect(documented).toEqual([...new Set(documented)]);
  expect([...documented].sort()).toEqual([...new Set(made)].sort());
});

/** The deployed app with a secret for its tasks: whatever makes them, its handlers take them. */
import { afterEach, expect, test } from '@jest/globals';
import { TestApp } from '../../support/test-app.js';

const ENVELOPE_SECRET = 'current-secret-of-the-envelope-012345';

let app: TestApp;
afterEach(() => app.close());

test.each([
  ['/tasks/example', 'Received task with payload: Hello'],
  ['/event-display', 'Event Display received event: Hello'],
])('tasks of the enqueuing endpoints reach %s', async (relativeUri, line) => {
  app = await TestApp.start({ ENVELOPE_SECRET });
  const shown = app.logged(line);
  const answer = await app.send('POST', '/add_task_app_engine', { payload: 'Hello', relativeUri });
  expect(answer.status).toBe(202);
  await shown;
  expect(app.lines.map(({ message }) => String(message))).not.toContainEqual(
    expect.stringContaining('Refused'),
  );
});

test('a task for a handler without a body reaches it', async () => {
  app = await TestApp.start({ ENVELOPE_SECRET });
  await app.send('POST', '/add_task_app_engine', {});
  await app.logged('Received task with payload: (empty payload)');
});

test('no caller gives a task an envelope of its own', async () => {
  app = await TestApp.start({ ENVELOPE_SECRET });
  const headers = { 'X-Tasks-Envelope': 'v1.9999999999.x.x' };
  const answer = await app.send('POST', '/add_task_app_engine', { headers });
  expect(answer.status).toBe(400);
  expect(answer.json).toMatchObject({ field: 'headers' });
});

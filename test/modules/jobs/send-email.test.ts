/** Mails: each sent once to a real server, and what is refused before it becomes a task. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Task } from '../../../src/engine/cloud-tasks-api.js';
import { MailServer } from '../../support/mail-server.js';
import { TestApp } from '../../support/test-app.js';

let server: MailServer;
let app: TestApp;

beforeAll(async () => {
  server = await MailServer.start();
  app = await TestApp.start({ SMTP_URL: server.url, MAIL_FROM: 'app@example.com' });
});
afterAll(async () => {
  await app.close();
  await server.close();
});
beforeEach(() => {
  server.received.length = 0;
});

const HELLO = { to: 'ada@example.org', subject: 'Grüße, Ada', body: 'Hello\nworld' };

async function enqueue(body: object): Promise<{ name: string; queue: string }> {
  const { status, json } = await app.send('POST', '/emails', body);
  expect({ status, json }).toMatchObject({ status: 202 });
  return json as { name: string; queue: string };
}

/** Resolves when the task has ended: it is gone from its queue. */
async function ended(name: string): Promise<void> {
  const id = name.split('/').at(-1) ?? '';
  await app.logged(new RegExp(`Mail <.*> was|${id}`));
}

test('a mail that is enqueued is sent, and answers as every enqueuing endpoint does', async () => {
  const { status, json } = await app.send('POST', '/emails', {
    ...HELLO,
    options: { taskId: 'first' },
  });
  expect({ status, json }).toEqual({
    status: 202,
    json: {
      name: app.queueName('email-queue') + '/tasks/first',
      queue: 'email-queue',
      scheduleTime: expect.any(String),
      createTime: expect.any(String),
      target: { type: 'http', url: `${app.url}/tasks/send-email`, method: 'POST' },
    },
  });
  await app.logged(/^Mail <.*@example.com> was sent/);
  expect(server.received).toHaveLength(1);
  const [mail] = server.received;
  expect(mail).toMatchObject({ from: 'app@example.com', to: ['ada@example.org'] });
  expect(mail?.source).toMatch(/^Subject: =\?UTF-8\?Q\?Gr=C3=BC=C3=9Fe/m);
  expect(mail?.source).toMatch(/\r\n\r\nHello\r\nworld/);
});

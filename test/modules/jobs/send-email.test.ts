/** Mails: each sent once to a real server, and what is refused before it becomes a task. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { SmtpMailer } from '../../../src/adapters/mail-smtp.js';
import { DELIVERY_SECRET, deliver } from '../../support/delivery.js';
import { MailServer } from '../../support/mail-server.js';
import { TestApp } from '../../support/test-app.js';

let server: MailServer;
let app: TestApp;

beforeAll(async () => {
  server = await MailServer.start();
  app = await TestApp.start({
    SMTP_URL: server.url,
    MAIL_FROM: 'app@example.com',
    ENGINE_SECRET: DELIVERY_SECRET,
  });
  await app.api.updateQueue({
    queue: {
      name: app.queueName('email-queue'),
      retryConfig: { maxAttempts: -1, minBackoff: 1000, maxBackoff: 1000 },
    },
    updateMask: ['retryConfig'],
  });
});
afterAll(async () => {
  await app.close();
  await server.close();
});
beforeEach(() => {
  server.received.length = 0;
  server.answers.length = 0;
  app.lines.length = 0;
});

const HELLO = { to: 'ada@example.org', subject: 'Grüße, Ada', body: 'Hello\nworld' };
let uids = 0;
const nextUid = () => `uid-of-some-work-${String(uids++)}`;

function send(uid: string, body: object | string = HELLO, retryCount = 0) {
  return deliver(app, { path: '/tasks/send-email', body, uid, queue: 'email-queue', retryCount });
}

/** Resolves when a task of the queue is a dead letter. */
async function parkedBy(body: object | string): Promise<string> {
  await app.api.createTask({
    parent: app.queueName('email-queue'),
    task: {
      appEngineHttpRequest: {
        relativeUri: '/tasks/send-email',
        headers: { 'content-type': 'application/json' },
        body: new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)),
      },
    },
  });
  const { message } = await app.logged(/^Parked /);
  return String(message);
}

describe('by the endpoint', () => {
  test('a mail is sent, and the answer is that of every enqueuing endpoint', async () => {
    const { status, json } = await app.send('POST', '/emails', {
      ...HELLO,
      options: { taskId: 'first' },
    });
    expect({ status, json }).toEqual({
      status: 202,
      json: {
        name: `${app.queueName('email-queue')}/tasks/first`,
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

  test('the task is what was asked for, byte for byte, when it was asked for', async () => {
    const asked =
      '{"subject":"\\u0041 1.0", "to" : "a@b.example","template":"{{n}}","data":{"n":1.50}';
    const options =
      '"options":{"queue":"default","countdown":"1h","dispatchDeadline":"60s","maxAttempts":3}';
    const { status, json } = await app.send('POST', '/emails', `${asked},${options}}`);
    expect({ status, json }).toMatchObject({ status: 202, json: { queue: 'default' } });
    const { name } = json as { name: string };
    const task = (await app.tasks()).find((one) => one.name === name);
    expect(Buffer.from(task?.httpRequest?.body ?? []).toString()).toBe(
      '{"to":"a@b.example","subject":"\\u0041 1.0","template":"{{n}}","data":{"n":1.50}}',
    );
    expect(task?.dispatchDeadline).toBe(60_000_000);
    expect((task?.scheduleTime ?? 0) - (task?.createTime ?? 0)).toBeGreaterThan(3_590_000_000);
  });

  test('sent again under its Idempotency-Key, it makes one task', async () => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'mail 1' };
    const body = JSON.stringify({ ...HELLO, options: { countdown: '1h' } });
    const first = await app.send('POST', '/emails', body, headers);
    expect(first.status).toBe(202);
    expect((await app.send('POST', '/emails', body, headers)).json).toEqual(first.json);
  });

  test.each([
    [
      'no field at all',
      {},
      'to',
      /^to: expected an e-mail address such as 'ada@example.com', got nothing/,
    ],
    ['an address that is none', { ...HELLO, to: 'ada' }, 'to', /got 'ada'/],
    [
      'a list of addresses',
      { ...HELLO, to: 'a@b.example, c@d.example' },
      'to',
      /got 'a@b.example, c@/,
    ],
    ['a name beside it', { ...HELLO, to: 'Ada <a@b.example>' }, 'to', /got 'Ada </],
    [
      'a header in the address',
      { ...HELLO, to: 'a@b.example\r\nBcc: c@d.example' },
      'to',
      /got 'a@b.example\\r\\nBcc/,
    ],
    ['a number', { ...HELLO, to: 1 }, 'to', /got 1/],
    [
      'a header in the subject',
      { ...HELLO, subject: 'x\r\nBcc: c@d.example' },
      'subject',
      /control/,
    ],
    [
      'a subject that is too long',
      { ...HELLO, subject: 'x'.repeat(501) },
      'subject',
      /at most 500/,
    ],
    ['no content', { to: HELLO.to, subject: 'x' }, 'body', /one of body, html, template, got none/],
    ['two contents', { ...HELLO, html: '<p>' }, 'body', /got body and html/],
    ['data for no template', { ...HELLO, data: {} }, 'data', /expected a template/],
    [
      'a placeholder without data',
      { to: HELLO.to, subject: 'x', template: '{{ name }}' },
      'data',
      /{{name}} has no value/,
    ],
    [
      'data without a placeholder',
      { to: HELLO.to, subject: 'x', template: 'x', data: { a: 1 } },
      'data',
      /'a' has no place/,
    ],
    [
      'data that is no text',
      { to: HELLO.to, subject: 'x', template: '{{a}}', data: { a: [] } },
      'data',
      /got an array/,
    ],
    ['a field nobody knows', { ...HELLO, bodi: 'x' }, 'bodi', /did you mean 'body'/],
    [
      'an option nobody knows',
      { ...HELLO, options: { countdwn: '1s' } },
      'options.countdwn',
      /did you mean 'countdown'/,
    ],
    [
      'a bare number of seconds',
      { ...HELLO, options: { countdown: 30 } },
      'options.countdown',
      /^options.countdown: /,
    ],
    ['no such queue', { ...HELLO, options: { queue: 'nope' } }, 'options.queue', /does not exist/],
    [
      'a queue id that is none',
      { ...HELLO, options: { queue: 'a/b' } },
      'options.queue',
      /^options.queue: /,
    ],
    [
      'an id that is none',
      { ...HELLO, options: { taskId: 'a b' } },
      'options.taskId',
      /^options.taskId: /,
    ],
    [
      'a time that is none',
      { ...HELLO, options: { scheduleTime: 'soon' } },
      'options.scheduleTime',
      /RFC 3339/,
    ],
    [
      'a deadline out of range',
      { ...HELLO, options: { dispatchDeadline: '31m' } },
      'options.dispatchDeadline',
      /30m/,
    ],
    [
      'attempts that are none',
      { ...HELLO, options: { maxAttempts: 0 } },
      'options.maxAttempts',
      /1 to 1000000/,
    ],
    ['options that are none', { ...HELLO, options: '1h' }, 'options', /an object/],
  ])('%s is refused', async (_name, body, field, message) => {
    const { status, json } = await app.send('POST', '/emails', body);
    expect(json).toMatchObject({ field, message: expect.stringMatching(message) });
    expect(status).toBe(String(message).includes('does not exist') ? 404 : 400);
  });

  test('only POST enqueues', async () => {
    const { status, headers } = await app.send('GET', '/emails', undefined, {});
    expect({ status, allow: headers['allow'] }).toEqual({ status: 405, allow: 'POST' });
  });

  test('no task may make tasks by it', async () => {
    const { json } = await app.send('POST', '/add_task_app_engine', { relativeUri: '/Emails/' });
    expect(json).toMatchObject({ field: 'relativeUri' });
  });
});

describe('once', () => {
  test('a task that is delivered twice sends one mail', async () => {
    const uid = nextUid();
    const [first, second] = [await send(uid), await send(uid)];
    expect([first, second]).toMatchObject([
      { status: 200, json: { sent: true, messageId: `<${uid}@example.com>` } },
      { status: 200, json: { sent: false, messageId: `<${uid}@example.com>` } },
    ]);
    expect(server.received).toHaveLength(1);
    expect(server.received[0]?.source).toContain(`Message-ID: <${uid}@example.com>`);
  });

  test('delivered eight times at once, too: the others are told to come again', async () => {
    const uid = nextUid();
    const statuses = (await Promise.all(Array.from({ length: 8 }, () => send(uid)))).map(
      ({ status }) => status,
    );
    expect(statuses.filter((status) => status !== 200 && status !== 409)).toEqual([]);
    expect(server.received).toHaveLength(1);
  });

  test('other work is other mail', async () => {
    await send(nextUid());
    await send(nextUid());
    expect(server.received).toHaveLength(2);
  });
});

describe('what the server says', () => {
  test.each([
    ['recipient', 550],
    ['data', 554],
  ] as const)('5xx at the %s parks the task', async (at, code) => {
    server.answers.push({ at, code });
    expect(await parkedBy(HELLO)).toMatch(
      new RegExp(`after 1 attempt.*permanent: The mail server answered: ${code} No such mailbox`),
    );
    expect(server.received).toEqual([]);
    expect(server.answers).toEqual([]);
  });

  test.each([
    ['recipient', 451],
    ['data', 421],
  ] as const)('4xx at the %s is tried again, and then sent', async (at, code) => {
    const uid = nextUid();
    server.answers.push({ at, code });
    expect(await send(uid)).toMatchObject({ status: 500 });
    expect(await send(uid, HELLO, 1)).toMatchObject({ status: 200, json: { sent: true } });
    expect(server.received).toHaveLength(1);
  });

  test('by the queue itself: what is refused for now arrives by the next attempt', async () => {
    server.answers.push({ at: 'data', code: 450 });
    await app.send('POST', '/emails', HELLO);
    await app.logged(/^Mail .* was sent/);
    expect(server.received).toHaveLength(1);
    expect(app.lines.some(({ message }) => String(message).startsWith('Parked'))).toBe(false);
  });

  test.each(['{"to":"a"}', '[]', '"x"', '{', `${'['.repeat(60)}${']'.repeat(60)}`])(
    'the body %s can be no mail, and parks the task',
    async (body) => {
      expect(await parkedBy(body)).toMatch(/after 1 attempt/);
      expect(server.received).toEqual([]);
    },
  );
});

describe('the connection', () => {
  const mail = {
    messageId: '<1@example.com>',
    from: 'app@example.com',
    to: 'ada@example.org',
    subject: 'x',
    text: 'x',
    date: new Date(0),
  };

  test('no server there is a reason to try again', async () => {
    const gone = await MailServer.start();
    const { url } = gone;
    await gone.close();
    const sending = new SmtpMailer(new URL(url)).send(mail, new AbortController().signal);
    await expect(sending).rejects.toMatchObject({ name: 'MailError', permanent: false });
  });

  test('one that is silent is left when the attempt ends', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const controller = new AbortController();
    const connected = once(silent, 'connection');
    const sending = new SmtpMailer(new URL(`smtp://127.0.0.1:${port}`)).send(
      mail,
      controller.signal,
    );
    const [socket] = (await connected) as [NodeJS.ReadableStream];
    const closed = once(socket, 'close');
    socket.resume();
    controller.abort(new Error('over'));
    await expect(sending).rejects.toMatchObject({ name: 'MailError', permanent: false });
    await closed;
    silent.close();
  });

  test('a server that refuses us says nothing of the mail', async () => {
    const rude = createServer((socket) => socket.end('554 No service for you\r\n'));
    await once(rude.listen(0, '127.0.0.1'), 'listening');
    const { port } = rude.address() as { port: number };
    const mailer = new SmtpMailer(new URL(`smtp://127.0.0.1:${port}`));
    await expect(mailer.send(mail, new AbortController().signal)).rejects.toMatchObject({
      message: 'The mail server answered: 554 No service for you',
      permanent: false,
    });
    rude.close();
  });

  test('a password is not sent in the clear to another machine', () => {
    const mailer = new SmtpMailer(new URL('smtp://user:secret@mail.example.com'));
    expect(mailer).toMatchObject({ options: { requireTLS: true, port: 587 } });
  });

  test('a wrong password is ours to mend, not the mail’s end', async () => {
    const address = server.url.replace('//', '//user:wrong@');
    const sending = new SmtpMailer(new URL(address)).send(mail, new AbortController().signal);
    await expect(sending).rejects.toMatchObject({ name: 'MailError', permanent: false });
  });
});

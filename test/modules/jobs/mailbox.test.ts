/** The mailbox of whoever develops: what is kept, who may read it, and that a mail can do nothing. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openMail } from '../../../src/host/open-mail.js';
import type { Mail } from '../../../src/foundation/mail.js';
import { DELIVERY_SECRET, deliver } from '../../support/delivery.js';
import { TestApp } from '../../support/test-app.js';

const folder = mkdtempSync(join(tmpdir(), 'nest-cloud-tasks-mailbox-'));
let app: TestApp;

beforeAll(async () => {
  app = await TestApp.start({ DATA_DIR: folder, ENGINE_SECRET: DELIVERY_SECRET });
});
afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

const EVIL = `<script>parent.document.title = 'owned'</script><img src="http://127.0.0.1:9/x.png">`;

async function put(mail: object): Promise<string> {
  const sent = await deliver(app, { path: '/tasks/send-email', body: mail, queue: 'email-queue' });
  expect(sent).toMatchObject({ status: 200, json: { sent: true } });
  const { json } = await app.send('GET', '/mailbox', undefined, { accept: 'application/json' });
  const [newest] = (json as { mails: { id: string }[] }).mails;
  return newest?.id ?? '';
}

test('a mail becomes an .eml file of this user’s alone, and is listed', async () => {
  const id = await put({ to: 'ada@example.org', subject: 'Grüße & <b>', body: 'Hello <Ada>' });
  const file = join(folder, 'mailbox', `${id}.eml`);
  expect(readFileSync(file, 'utf8')).toMatch(/^From: app@localhost\r\n/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const list = await app.send('GET', '/mailbox', undefined, { accept: 'text/html' });
  expect(list).toMatchObject({
    status: 200,
    headers: { 'content-type': 'text/html; charset=utf-8' },
  });
  expect(list.text).toContain(`<a href="/mailbox/${id}">Grüße &#38; &#60;b&#62;</a>`);
  const shown = await app.send('GET', `/mailbox/${id}`, undefined, {});
  expect(shown.text).toContain('Hello &#60;Ada&#62;');
  const source = await app.send('GET', `/mailbox/${id}/source`, undefined, {});
  expect(source).toMatchObject({ headers: { 'content-type': 'text/plain; charset=utf-8' } });
  expect(source.text).toContain('Subject: =?UTF-8?Q?');
});

test('a mail’s HTML is only in the frame, where it has an origin of its own and no rights', async () => {
  const id = await put({ to: 'ada@example.org', subject: 'x', html: EVIL });
  const page = await app.send('GET', `/mailbox/${id}`, undefined, {});
  expect(page.text).toContain(`<iframe sandbox title="The mail" src="/mailbox/${id}/html">`);
  expect(page.text).not.toContain('owned');
  expect(page.headers['content-security-policy']).toMatch(
    /^default-src 'none'; style-src 'sha256-/,
  );
  const html = await app.send('GET', `/mailbox/${id}/html`, undefined, {});
  expect(html).toMatchObject({
    text: EVIL,
    headers: {
      'content-security-policy': expect.stringMatching(/^sandbox; default-src 'none'; /),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    },
  });
});

test('what a template is filled with is text', async () => {
  const data = { name: `<script>alert("1")</script>`, link: `x" onclick="y`, n: 1.5, yes: true };
  const template = '<p>{{name}} {{ n }} {{yes}} <a href="{{link}}">x</a></p>';
  const id = await put({ to: 'ada@example.org', subject: 'x', template, data });
  const { text } = await app.send('GET', `/mailbox/${id}/html`, undefined, {});
  expect(text).toBe(
    '<p>&#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62; 1.5 true <a href="x&#34; onclick=&#34;y">x</a></p>',
  );
});

describe('only this machine', () => {
  test.each([
    ['another name, as of a page that was made to resolve here', { host: 'evil.example' }],
    ['what came through a proxy', { 'x-forwarded-for': '203.0.113.7' }],
    ['what came through another kind of proxy', { forwarded: 'for=203.0.113.7' }],
  ])('not %s', async (_name, headers) => {
    const { status, json } = await app.send('GET', '/mailbox', undefined, headers);
    expect({ status, json }).toMatchObject({ status: 403, json: { code: 'PERMISSION_DENIED' } });
  });

  test.each(['..%2Fengine', '..%2F..%2Fetc%2Fpasswd', '1', '%00', 'x'.repeat(300)])(
    'no file but a mail: %s',
    async (id) => {
      for (const kind of ['', '/html', '/source']) {
        const { status } = await app.send('GET', `/mailbox/${id}${kind}`, undefined, {});
        expect(status).toBe(404);
      }
    },
  );

  test('none where mails are sent', async () => {
    const sending = await TestApp.start({
      SMTP_URL: 'smtp://127.0.0.1:9',
      MAIL_FROM: 'a@b.example',
    });
    expect(await sending.send('GET', '/mailbox', undefined, {})).toMatchObject({ status: 404 });
    await sending.close();
  });

  test('none where others can reach the app', async () => {
    const open = await TestApp.start({
      HOST: '0.0.0.0',
      PRODUCER_AUTH: 'api-key',
      PRODUCER_KEYS_FILE: keysFile(),
    });
    expect(await open.send('GET', '/mailbox', undefined, {})).toMatchObject({ status: 404 });
    await open.close();
  });
});

test.each([':memory:', join(folder, 'other')])('mails expire by their age in %s', async (place) => {
  const { mailbox } = await openMail({ folder: place });
  const mail = (subject: string, at: number): Mail => ({
    messageId: `<${subject}@example.com>`,
    from: 'a@b.example',
    to: 'c@d.example',
    subject,
    text: 'x',
    date: new Date(at),
  });
  const { signal } = new AbortController();
  for (const [subject, at] of [
    ['old', 1000],
    ['newer', 2000],
    ['newest', 3000],
  ] as const) {
    await mailbox?.send(mail(subject, at), signal);
  }
  expect(await mailbox?.expire(new Date(2000))).toBe(1);
  expect((await mailbox?.list())?.map(({ subject }) => subject)).toEqual(['newest', 'newer']);
  expect(await mailbox?.expire(new Date(2000))).toBe(0);
  if (place !== ':memory:') expect(readdirSync(place)).toHaveLength(4);
});

function keysFile(): string {
  const file = join(folder, 'keys.json');
  writeFileSync(file, '{"keys": []}');
  return file;
}

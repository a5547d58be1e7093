/** On Cloud Run: tokens that its front end has checked, while it lets nobody else through. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Body } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { request as httpRequest } from 'node:http';
import { AllowServiceAccounts } from '../../../src/modules/auth/allowed-accounts.js';
import { Task, TaskController } from '../../../src/modules/tasks/task-decorators.js';
import { Loopback } from '../../support/loopback.js';
import type { TestApp } from '../../support/tasks-app.js';
import { closeApps, startApp } from '../../support/tasks-app.js';
import type { Claims } from '../../support/test-issuer.js';
import { ACCOUNT, encode, TestIssuer } from '../../support/test-issuer.js';

const CRON = 'cron@project.iam.gserviceaccount.com';
const AUDIENCE = 'https://app-x.a.run.app';

let calls: unknown[] = [];

@TaskController('tasks')
class Handlers {
  @Task('work')
  work(@Body() body: unknown): void {
    calls.push(body);
  }

  @Task('nightly')
  @AllowServiceAccounts(CRON)
  nightly(@Body() body: unknown): void {
    calls.push(body);
  }
}

/** What stands between the world and the app: a door that lets one secret through, or everybody. */
class FrontEnd {
  /** A request waits until the app listens. */
  readonly app = Promise.withResolvers<string>();
  readonly seen: string[] = [];

  /** @param refuses the status of its own refusals; `nobody` lets everybody through */
  constructor(private readonly refuses: number | 'nobody') {}

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { headers, method = '', url = '' } = request;
    this.seen.push(`${method} ${url}`);
    if (this.refuses !== 'nobody') {
      response.writeHead(this.refuses).end('<html>Forbidden');
      return;
    }
    const to = `${await this.app.promise}${url}`;
    const onward = httpRequest(to, { method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  }
}

const loopback = new Loopback();
let issuer: TestIssuer;
let frontEnd: FrontEnd;
let server: TestApp;

async function start(refuses: number | 'nobody' = 403): Promise<void> {
  process.env['K_SERVICE'] = 'app';
  const door = new FrontEnd(refuses);
  frontEnd = door;
  const url = await loopback.http((request, response) => void door.answer(request, response));
  server = await startApp(
    { controllers: [Handlers], features: [] },
    {
      backend: 'google',
      emulatorHost: '127.0.0.1:1',
      project: 'demo',
      serviceUrl: url,
      serviceAccount: ACCOUNT,
      auth: { mode: 'cloud-run-iam', issuer: issuer.url, audience: AUDIENCE },
    },
  );
  door.app.resolve(server.url);
}

beforeEach(async () => {
  calls = [];
  issuer = await TestIssuer.start();
});
afterEach(async () => {
  delete process.env['K_SERVICE'];
  await closeApps();
  await loopback.close();
  await issuer.close();
});

const claims = (changes: Claims = {}) =>
  issuer.claims(Math.floor(Date.now() / 1000), { aud: AUDIENCE, ...changes });
const signed = (changes: Claims = {}) => `Bearer ${issuer.first.sign(claims(changes))}`;
/** As Cloud Run hands a token on that it has checked. */
const removed = (changes: Claims = {}, marker = 'SIGNATURE_REMOVED_BY_GOOGLE') =>
  `Bearer ${encode({ alg: 'RS256', kid: 'k', typ: 'JWT' })}.${encode(claims(changes))}.${marker}`;

type Headers = Readonly<Record<string, string | string[]>>;

/** What the app itself answers: a request that the front end has let through. */
function statusOf(headers: Headers, path = '/tasks/work'): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', agent: false };
    const request = httpRequest(`${server.url}${path}`, options, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    request.on('error', reject);
    for (const [name, value] of Object.entries(headers)) request.setHeader(name, value);
    request.setHeader('Content-Type', 'application/json').end('{"made":"up"}');
  });
}

describe('where nobody else gets in', () => {
  beforeEach(() => start());

  test('38: lets in who is allowed, with the signature and without', async () => {
    expect(await statusOf({ authorization: removed() })).toBe(200);
    expect(await statusOf({ authorization: signed() })).toBe(200);
    expect(await statusOf({ 'x-serverless-authorization': removed() })).toBe(200);
    expect(calls).toHaveLength(3);
    expect(frontEnd.seen).toEqual(Array.from({ length: 3 }, () => 'POST /tasks/work'));
  });

  test.each<[string, number, () => Headers]>([
    ['13: nothing', 401, () => ({})],
    ['26: another audience', 401, () => ({ authorization: removed({ aud: 'https://else' }) })],
    ['28: another issuer', 401, () => ({ authorization: removed({ iss: 'https://evil.io' }) })],
    ['23: expired', 401, () => ({ authorization: removed({ exp: 1, iat: 0 }) })],
    ['25: no times', 401, () => ({ authorization: removed({ exp: undefined }) })],
    ['29: another account', 403, () => ({ authorization: removed({ email: 'x@other.example' }) })],
    ['30: not verified', 403, () => ({ authorization: removed({ email_verified: 'true' }) })],
    [
      '22: a signature that doesn’t hold',
      401,
      () => ({ authorization: `${signed().slice(0, -4)}AAAA` }),
    ],
    [
      '41: in lower case',
      401,
      () => ({ authorization: removed({}, 'signature_removed_by_google') }),
    ],
    [
      '41: with a suffix',
      401,
      () => ({ authorization: removed({}, 'SIGNATURE_REMOVED_BY_GOOGLE_') }),
    ],
    [
      '41: with a prefix',
      401,
      () => ({ authorization: removed({}, 'xSIGNATURE_REMOVED_BY_GOOGLE') }),
    ],
    [
      '41: without claims',
      401,
      () => ({ authorization: 'Bearer a.b.SIGNATURE_REMOVED_BY_GOOGLE' }),
    ],
    ['14: twice', 401, () => ({ authorization: [removed(), removed()] })],
    [
      '39: another’s identity that Cloud Run has not checked',
      403,
      () => ({
        authorization: removed(),
        'x-serverless-authorization': removed({ email: 'x@other.example' }),
      }),
    ],
    [
      '39: a checked header that holds no token',
      401,
      () => ({ authorization: removed(), 'x-serverless-authorization': 'Basic x' }),
    ],
  ])('%s: %i', async (_, status, headers) => {
    expect(await statusOf(headers())).toBe(status);
    expect(calls).toEqual([]);
  });

  test('39: takes the identity that Cloud Run has checked', async () => {
    const both = {
      authorization: removed({ email: 'x@other.example' }),
      'x-serverless-authorization': removed(),
    };
    expect(await statusOf(both)).toBe(200);
  });

  test('a handler’s own accounts are those that may call it, and only it', async () => {
    expect(await statusOf({ authorization: removed({ email: CRON }) }, '/tasks/nightly')).toBe(200);
    expect(await statusOf({ authorization: removed() }, '/tasks/nightly')).toBe(403);
    expect(await statusOf({ authorization: removed({ email: CRON }) })).toBe(403);
    expect(calls).toHaveLength(1);
    expect(server.log.text).toContain(`the account '${ACCOUNT}' may not call this handler`);
  });
});

describe('40: serves no handler', () => {
  test('where strangers reach them', async () => {
    await start('nobody');
    expect(await statusOf({ authorization: signed() })).toBe(503);
    expect(await statusOf({ authorization: removed() })).toBe(503);
    expect(calls).toEqual([]);
    expect(server.log.text).toContain('so the service is public');
  });

  test.each([200, 302, 404, 500])('where the front end answers %i to strangers', async (status) => {
    await start(status);
    expect(await statusOf({ authorization: removed() })).toBe(503);
    expect(server.log.text).toContain(`answered ${status}, not refused`);
  });

  test('where it can’t be asked', async () => {
    await start();
    await loopback.close();
    await closeApps();
    process.env['K_SERVICE'] = 'app';
    server = await startApp(
      { controllers: [Handlers], features: [] },
      {
        backend: 'google',
        emulatorHost: '127.0.0.1:1',
        project: 'demo',
        serviceUrl: 'http://127.0.0.1:1',
        serviceAccount: ACCOUNT,
        auth: { mode: 'cloud-run-iam', issuer: issuer.url, audience: AUDIENCE },
      },
    );
    expect(await statusOf({ authorization: removed() })).toBe(503);
    expect(server.log.text).toContain("the service can't be asked");
  });

  test.each<[string, Readonly<Record<string, string>>]>([
    ['off every platform', {}],
    ['on App Engine', { GAE_ENV: 'standard' }],
  ])('%s: does not even start', async (_, variables) => {
    Object.assign(process.env, variables);
    const starting = startApp(
      { controllers: [Handlers], features: [] },
      {
        backend: 'google',
        emulatorHost: '127.0.0.1:1',
        project: 'demo',
        serviceUrl: 'http://127.0.0.1:1',
        serviceAccount: ACCOUNT,
        auth: { mode: 'cloud-run-iam' },
      },
    );
    await expect(starting).rejects.toMatchObject({ field: 'auth.mode' });
    delete process.env['GAE_ENV'];
  });
});

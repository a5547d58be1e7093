import { describe, expect, test } from '@jest/globals';
import type { HttpTarget, UriOverride } from '../../src/engine/cloud-tasks-api.js';
import { HOUR } from '../../src/engine/time.js';
import { appEngineTask, engineUnderTest, httpTask, QUEUE } from '../support/engine-under-test.js';

const URL = 'http://task.example:8080/a/b?c=d';

/** The one attempt of a task to {@link URL} in a queue with these overrides. */
async function sent(httpTarget: HttpTarget, task: Parameters<typeof httpTask>[0] = {}) {
  const { engine, targets, clock } = await engineUnderTest({ queue: { httpTarget } });
  await engine.createTask(httpTask({ httpRequest: { url: URL }, ...task }));
  await clock.advance(0);
  expect(targets.sent).toHaveLength(1);
  const [attempt] = targets.sent;
  if (!attempt) throw new Error('Nothing was sent.');
  return attempt.dispatch;
}

describe("a queue's address", () => {
  const ALWAYS: [override: UriOverride, url: string][] = [
    [{ scheme: 'HTTPS' }, 'https://task.example:8080/a/b?c=d'],
    [{ host: 'queue.example' }, 'http://queue.example:8080/a/b?c=d'],
    [{ host: '[::1]', port: 1 }, 'http://[::1]:1/a/b?c=d'],
    [{ port: 9 }, 'http://task.example:9/a/b?c=d'],
    [{ port: 0 }, 'http://task.example/a/b?c=d'],
    [{ pathOverride: { path: '/x/y' } }, 'http://task.example:8080/x/y?c=d'],
    [{ pathOverride: { path: '' } }, 'http://task.example:8080/?c=d'],
    [{ queryOverride: { queryParams: 'e=f&g=h' } }, 'http://task.example:8080/a/b?e=f&g=h'],
    [{ queryOverride: { queryParams: '' } }, 'http://task.example:8080/a/b'],
    [
      {
        scheme: 'HTTPS',
        host: 'queue.example',
        port: 0,
        pathOverride: { path: '/x' },
        queryOverride: { queryParams: 'y' },
        uriOverrideEnforceMode: 'ALWAYS',
      },
      'https://queue.example/x?y',
    ],
  ];

  test.each(ALWAYS)('%j replaces that of a task', async (uriOverride, url) => {
    expect((await sent({ uriOverride })).target).toEqual({ kind: 'http', url });
  });

  const IF_NOT_EXISTS: [url: string, sent: string][] = [
    ['http://task.example:8080/a?c', 'http://task.example:8080/a?c'],
    ['http://task.example/a?c', 'http://task.example:9/a?c'],
    ['http://task.example:8080/?c', 'http://task.example:8080/x?c'],
    ['http://task.example:8080/a', 'http://task.example:8080/a?y'],
    ['http://task.example', 'http://task.example:9/x?y'],
  ];

  test.each(IF_NOT_EXISTS)('fills in only what %s lacks, when told so', async (url, expected) => {
    const uriOverride: UriOverride = {
      scheme: 'HTTPS',
      host: 'queue.example',
      port: 9,
      pathOverride: { path: '/x' },
      queryOverride: { queryParams: 'y' },
      uriOverrideEnforceMode: 'IF_NOT_EXISTS',
    };
    const { target } = await sent({ uriOverride }, { httpRequest: { url } });
    expect(target).toEqual({ kind: 'http', url: expected });
  });

  test('leaves alone what it has nothing for, as gcloud sends it', async () => {
    const uriOverride = { host: 'queue.example', pathOverride: {}, queryOverride: {} };
    const { target } = await sent({ uriOverride });
    expect(target).toEqual({ kind: 'http', url: 'http://queue.example:8080/a/b?c=d' });
  });
});

describe("a queue's method and headers", () => {
  const BODY = new Uint8Array([1]);

  test('replace those of a task', async () => {
    const dispatch = await sent(
      {
        httpMethod: 'PUT',
        headerOverrides: [
          { header: { key: 'X-B', value: 'queue' } },
          { header: { key: 'x-c', value: 'queue' } },
          { header: { key: 'X-CloudTasks-TaskName', value: 'forged' } },
        ],
      },
      { httpRequest: { url: URL, headers: { 'X-A': 'task', 'x-b': 'task' }, body: BODY } },
    );
    expect(dispatch).toMatchObject({ method: 'PUT', body: BODY });
    expect(dispatch.headers).toMatchObject({ 'X-A': 'task', 'X-B': 'queue', 'x-c': 'queue' });
    expect(dispatch.headers).not.toHaveProperty('x-b');
    expect(dispatch.headers['X-CloudTasks-TaskName']).not.toBe('forged');
  });

  test('drop the body where the method has none', async () => {
    const request = { httpRequest: { url: URL, body: BODY } };
    expect(await sent({ httpMethod: 'GET' }, request)).not.toHaveProperty('body');
    expect(await sent({ httpMethod: 'POST' }, request)).toHaveProperty('body', BODY);
  });
});

describe("a queue's token", () => {
  const oidcToken = { serviceAccountEmail: 'queue@x', audience: 'https://queue.example' };
  const HTTPS = { httpRequest: { url: 'https://task.example/' } };

  test("takes the place of the task's, and of any Authorization", async () => {
    const headerOverrides = [{ header: { key: 'authorization', value: 'Basic x' } }];
    const { headers } = await sent(
      { oidcToken, headerOverrides },
      {
        httpRequest: {
          ...HTTPS.httpRequest,
          headers: { Authorization: 'Basic y' },
          oidcToken: { serviceAccountEmail: 'task@x' },
        },
      },
    );
    expect(headers['Authorization']).toBe('Bearer queue@x|https://queue.example');
    expect(headers).not.toHaveProperty('authorization');
  });

  test('of OAuth, which only Google can make, still keeps out any other', async () => {
    const oauthToken = { serviceAccountEmail: 'queue@x', scope: 'https://s' };
    const { headers } = await sent(
      { oauthToken },
      { httpRequest: { ...HTTPS.httpRequest, headers: { Authorization: 'Basic y' } } },
    );
    expect(headers).not.toHaveProperty('Authorization');
  });

  test('never goes to an http:// URL, however the task came to have it', async () => {
    const { engine, targets, clock, events } = await engineUnderTest({
      queue: { httpTarget: { oidcToken } },
    });
    await engine.createTask(httpTask({ httpRequest: { url: URL } }));
    await clock.advance(0);
    expect(targets.sent).toEqual([]);
    expect(events).toMatchObject([
      { type: 'attempt', result: { kind: 'no-response', reason: expect.stringMatching(/https/) } },
    ]);
  });

  test('goes to an http:// URL that is trusted', async () => {
    const { engine, targets, clock } = await engineUnderTest({
      queue: { httpTarget: { oidcToken, uriOverride: { scheme: 'HTTP', host: 'localhost' } } },
      rules: { trustsHttp: (url) => url.hostname === 'localhost' },
    });
    await engine.createTask(httpTask(HTTPS));
    await clock.advance(0);
    expect(targets.header('Authorization')).toEqual(['Bearer queue@x|https://queue.example']);
  });

  test('is audienced by where a task really goes, when only the task has one', async () => {
    const { headers } = await sent(
      { uriOverride: { host: 'queue.example' } },
      { httpRequest: { url: 'https://task.example/', oidcToken: { serviceAccountEmail: 't@x' } } },
    );
    expect(headers['Authorization']).toBe('Bearer t@x|https://queue.example/');
  });
});

test('App Engine tasks are not touched', async () => {
  const { engine, targets, clock } = await engineUnderTest({
    queue: { httpTarget: { httpMethod: 'PUT', uriOverride: { host: 'queue.example' } } },
  });
  await engine.createTask(appEngineTask());
  await clock.advance(0);
  expect(targets.sent[0]?.dispatch).toMatchObject({
    method: 'POST',
    target: { kind: 'app-engine', relativeUri: '/x' },
  });
});

test('a change reaches tasks that wait', async () => {
  const { engine, targets, clock } = await engineUnderTest();
  await engine.createTask(httpTask({ scheduleTime: clock.now() + HOUR }));
  await engine.updateQueue({
    queue: { name: QUEUE, httpTarget: { uriOverride: { host: 'queue.example' } } },
    updateMask: ['httpTarget'],
  });
  await clock.advance(HOUR);
  expect(targets.sent[0]?.dispatch.target).toMatchObject({ url: 'https://queue.example/x' });
});

describe('is refused:', () => {
  const token = { serviceAccountEmail: 'a@x', audience: 'b', scope: 'c' };
  const REFUSED: [field: string, target: HttpTarget][] = [
    ['uriOverride.host', { uriOverride: { host: '' } }],
    ['uriOverride.host', { uriOverride: { host: 'a.example:80' } }],
    ['uriOverride.host', { uriOverride: { host: 'a.example:' } }],
    ['uriOverride.host', { uriOverride: { host: 'a.example/x' } }],
    ['uriOverride.host', { uriOverride: { host: 'a.example?x' } }],
    ['uriOverride.host', { uriOverride: { host: 'u@a.example' } }],
    ['uriOverride.host', { uriOverride: { host: 'a b' } }],
    ['uriOverride.host', { uriOverride: { host: '[::1]x' } }],
    ['uriOverride.port', { uriOverride: { port: -1 } }],
    ['uriOverride.port', { uriOverride: { port: 65_536 } }],
    ['uriOverride.port', { uriOverride: { port: NaN } }],
    ['uriOverride.scheme', { uriOverride: { scheme: 'FTP' as 'HTTP' } }],
    [
      'uriOverride.uriOverrideEnforceMode',
      { uriOverride: { uriOverrideEnforceMode: 'X' as never } },
    ],
    ['httpMethod', { httpMethod: 'FETCH' as 'GET' }],
    ['headerOverrides', { headerOverrides: [{ header: { key: 'a b', value: '' } }] }],
    ['headerOverrides', { headerOverrides: [{ header: { key: '', value: '' } }] }],
    ['headerOverrides', { headerOverrides: [{ header: { key: 'a', value: 'x'.repeat(81_920) } }] }],
    ['oidcToken.serviceAccountEmail', { oidcToken: { ...token, serviceAccountEmail: '' } }],
    ['oidcToken.audience', { oidcToken: { serviceAccountEmail: 'a@x' } }],
    ['oauthToken.serviceAccountEmail', { oauthToken: { ...token, serviceAccountEmail: '' } }],
    ['oauthToken.scope', { oauthToken: { serviceAccountEmail: 'a@x' } }],
    ['', { oauthToken: token, oidcToken: token }],
  ];

  test.each(REFUSED)('%s of %j', async (path, httpTarget) => {
    const { engine } = await engineUnderTest();
    const field = path ? `queue.httpTarget.${path}` : 'queue.httpTarget';
    await expect(engine.updateQueue({ queue: { name: QUEUE, httpTarget } })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field,
    });
  });
});

/** Tasks by the contract: the reference's sections 2, 4, 5 and 9.2, on any CloudTasksApi. */
import { describe, expect, test } from '@jest/globals';
import type { HttpMethod, TaskInput } from '../../src/engine/cloud-tasks-api.js';
import { HOUR, MILLISECOND, MINUTE, SECOND } from '../../src/engine/time.js';
import type { ApiUnderTest } from './api-under-test.js';
import { expectRefusal, TEXT, URL } from './api-under-test.js';

const BODY = new TextEncoder().encode('{"to":"you"}');
const METHODS: HttpMethod[] = ['POST', 'GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];
const MOST_AHEAD = 720 * HOUR;
const APP_ENGINE_AGENT = 'AppEngine-Google; (+http://code.google.com/appengine)';

export function describeTaskVerbs(under: ApiUnderTest): void {
  const create = async (task: TaskInput, queue?: string) => {
    const parent = queue ?? (await under.pausedQueue());
    return under.api.createTask({ parent, task, responseView: 'FULL' });
  };
  const http = (request: Partial<TaskInput['httpRequest']> = {}): TaskInput => ({
    httpRequest: { url: URL, ...request },
  });

  describe('createTask to a URL', () => {
    test('fills in the defaults, and answers them as getTask does', async () => {
      const before = under.now();
      const queue = await under.pausedQueue();
      const task = await under.api.createTask({ parent: queue, task: http() });
      const after = under.now();
      expect(task).toEqual({
        name: expect.stringMatching(new RegExp(`^${queue}/tasks/\\d{17,20}$`)),
        httpRequest: {
          url: URL,
          httpMethod: 'POST',
          headers: { 'User-Agent': 'Google-Cloud-Tasks' },
        },
        scheduleTime: expect.any(Number),
        createTime: expect.any(Number),
        dispatchDeadline: 10 * MINUTE,
        dispatchCount: 0,
        responseCount: 0,
        view: 'BASIC',
      });
      expect(task.scheduleTime).toBeGreaterThanOrEqual(before);
      expect(task.scheduleTime).toBeLessThanOrEqual(after);
      expect(task.createTime % SECOND).toBe(0);
      expect(task.createTime).toBeGreaterThan(before - SECOND);
      expect(task.createTime).toBeLessThanOrEqual(after);
      expect(await under.api.getTask({ name: task.name })).toEqual(task);
    });

    test('keeps the headers as they came, and sets the user agent', async () => {
      const headers = { 'X-Mixed-Case': 'a', 'content-type': 'text/plain', 'user-agent': 'mine' };
      const { httpRequest } = await create(http({ headers }));
      expect(httpRequest?.headers).toEqual({
        'X-Mixed-Case': 'a',
        'content-type': 'text/plain',
        'User-Agent': 'Google-Cloud-Tasks',
      });
    });

    test('keeps every byte of the body', async () => {
      const body = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      const { httpRequest } = await create(http({ body }));
      expect(httpRequest?.body).toEqual(body);
    });

    test('does not notice what becomes of the request afterwards', async () => {
      const body = Uint8Array.from(BODY);
      const headers = { 'X-Kept': 'yes' };
      const { name } = await create(http({ body, headers }));
      body.fill(0);
      headers['X-Kept'] = 'no';
      const { httpRequest } = await under.api.getTask({ name, responseView: 'FULL' });
      expect(httpRequest).toMatchObject({ body: BODY, headers: { 'X-Kept': 'yes' } });
    });

    test.each(METHODS)('allows %s', async (httpMethod) => {
      const { httpRequest } = await create(http({ httpMethod }));
      expect(httpRequest?.httpMethod).toBe(httpMethod);
    });

    test.each(METHODS)(
      'allows a body with %s only if it is POST, PUT or PATCH',
      async (httpMethod) => {
        const call = create(http({ httpMethod, body: BODY }));
        if (['POST', 'PUT', 'PATCH'].includes(httpMethod)) {
          expect((await call).httpRequest?.body).toEqual(BODY);
        } else {
          await expectRefusal(call, 'INVALID_ARGUMENT');
        }
      },
    );

    test.each([
      ['https://example.com/%zz'],
      ['http://example.com'],
      ['HTTPS://EXAMPLE.COM/'],
      [`https://example.com/${'a'.repeat(2083 - 'https://example.com/'.length)}`],
    ])('allows the URL %s', async (url) => {
      const { httpRequest } = await create(http({ url }));
      expect(httpRequest?.url).toBe(url);
    });

    test.each([
      ['', 'HttpRequest.url is required.'],
      ['example.com/x', "HttpTarget.url must start with 'http://' or 'https://'."],
      ['ftp://example.com', "HttpTarget.url must start with 'http://' or 'https://'."],
      [`https://example.com/${'a'.repeat(2083)}`, undefined],
    ])('refuses the URL %j', async (url, message) => {
      const field = 'task.httpRequest.url';
      await expectRefusal(create(http({ url })), 'INVALID_ARGUMENT', message, field);
    });

    test('keeps a token to be', async () => {
      const oidcToken = { serviceAccountEmail: 'a@demo.iam.gserviceaccount.com', audience: 'b' };
      expect((await create(http({ oidcToken }))).httpRequest?.oidcToken).toEqual(oidcToken);
      const oauthToken = { serviceAccountEmail: 'a@demo.iam.gserviceaccount.com', scope: 'c' };
      expect((await create(http({ oauthToken }))).httpRequest?.oauthToken).toEqual(oauthToken);
    });

    test('refuses a token for a URL that others can overhear, and two tokens', async () => {
      const token = { serviceAccountEmail: 'a@demo.iam.gserviceaccount.com' };
      const message =
        "HttpRequest.url must start with 'https://' for request with HttpRequest.authorization_header";
      const url = 'http://example.com/';
      for (const kind of ['oidcToken', 'oauthToken']) {
        const call = create(http({ url, [kind]: token }));
        await expectRefusal(call, 'INVALID_ARGUMENT', message, 'task.httpRequest.url');
      }
      const both = create(http({ oidcToken: token, oauthToken: token }));
      await expectRefusal(both, 'INVALID_ARGUMENT', undefined, 'task.httpRequest');
    });

    test('refuses headers of 80 KB', async () => {
      const headers = { 'X-Large': 'x'.repeat(80 * 1024) };
      await expectRefusal(create(http({ headers })), 'INVALID_ARGUMENT');
    });
  });

  describe('createTask to App Engine', () => {
    test('fills in the defaults', async () => {
      const queue = await under.pausedQueue();
      const { name } = await create({ appEngineHttpRequest: {} }, queue);
      const task = await under.api.getTask({ name });
      expect(task).toEqual({
        name,
        appEngineHttpRequest: {
          httpMethod: 'POST',
          relativeUri: '/',
          appEngineRouting: { host: expect.stringMatching(/^demo\.[\w.-]+$/) },
          headers: { 'User-Agent': APP_ENGINE_AGENT, 'Content-Length': '0' },
        },
        scheduleTime: expect.any(Number),
        createTime: expect.any(Number),
        dispatchCount: 0,
        responseCount: 0,
        view: 'BASIC',
      });
    });

    test('says what the body is, unless the task does, in whatever case', async () => {
      const headersOf = async (headers: Record<string, string>) =>
        (await create({ appEngineHttpRequest: { headers, body: BODY } })).appEngineHttpRequest
          ?.headers;
      expect(await headersOf({})).toEqual({
        'User-Agent': APP_ENGINE_AGENT,
        'Content-Length': '12',
        'Content-Type': 'application/octet-stream',
      });
      expect(await headersOf({ 'content-TYPE': 'text/plain', 'Content-Length': '999' })).toEqual({
        'User-Agent': APP_ENGINE_AGENT,
        'Content-Length': '12',
        'content-TYPE': 'text/plain',
      });
    });

    test('adds its name to a user agent', async () => {
      const headers = { 'User-Agent': 'mine/1.0' };
      const task = await create({ appEngineHttpRequest: { headers } });
      expect(Object.entries(task.appEngineHttpRequest?.headers ?? {})).toContainEqual([
        'User-Agent',
        `mine/1.0 ${APP_ENGINE_AGENT}`,
      ]);
    });

    test('fills in the host of the routing, whatever was given for it', async () => {
      const appEngineRouting = { service: 'worker', version: 'v1', host: 'evil.example.com' };
      const task = await create({ appEngineHttpRequest: { appEngineRouting } });
      const routing = task.appEngineHttpRequest?.appEngineRouting;
      expect(routing).toMatchObject({ service: 'worker', version: 'v1' });
      expect(routing?.host).toMatch(/worker.*demo/);
      expect(routing?.host).not.toContain('evil');
    });

    test.each(METHODS)('allows a body with %s only if it is POST or PUT', async (httpMethod) => {
      const call = create({ appEngineHttpRequest: { httpMethod, body: BODY } });
      if (['POST', 'PUT'].includes(httpMethod)) {
        expect((await call).appEngineHttpRequest?.body).toEqual(BODY);
      } else {
        await expectRefusal(call, 'INVALID_ARGUMENT');
      }
    });

    test.each([['no-slash'], ['/with space'], [`/${'a'.repeat(2083)}`], ['https://example.com/']])(
      'refuses the relative URI %j',
      async (relativeUri) => {
        const field = 'task.appEngineHttpRequest.relativeUri';
        const call = create({ appEngineHttpRequest: { relativeUri } });
        await expectRefusal(call, 'INVALID_ARGUMENT', undefined, field);
      },
    );

    test.each([['/'], ['/a?b=c&d=%20'], [`/${'a'.repeat(2082)}`]])(
      'allows the relative URI %j',
      async (relativeUri) => {
        const task = await create({ appEngineHttpRequest: { relativeUri } });
        expect(task.appEngineHttpRequest?.relativeUri).toBe(relativeUri);
      },
    );
  });

  describe('createTask', () => {
    test('makes up ids, no two alike', async () => {
      const queue = await under.pausedQueue();
      const names = await Promise.all(Array.from({ length: 50 }, () => under.taskIn(queue)));
      expect(new Set(names).size).toBe(50);
    });

    test.each([['a'], ['0'], ['_-Az9'], ['a'.repeat(500)]])('takes the id %s', async (id) => {
      const queue = await under.pausedQueue();
      expect(await under.taskIn(queue, { name: `${queue}/tasks/${id}` })).toBe(
        `${queue}/tasks/${id}`,
      );
    });

    test.each([['a b'], ['a.b'], ['ä'], ['a'.repeat(501)], ['a\n'], ['{}']])(
      'refuses the id %j',
      async (id) => {
        const queue = await under.pausedQueue();
        const call = under.taskIn(queue, { name: `${queue}/tasks/${id}` });
        const message = `Task ID "${id}" can contain only letters ([A-Za-z]), numbers ([0-9]), hyphens (-), or underscores (_). Task ID must between 1 and 500 characters.`;
        await expectRefusal(call, 'INVALID_ARGUMENT', message, 'task.name');
      },
    );

    test.each([['a'], ['projects/demo/tasks/a'], ['projects/demo/locations/l/queues/q/tasks']])(
      'refuses the name %j',
      async (name) => {
        const queue = await under.pausedQueue();
        const call = under.taskIn(queue, { name });
        await expectRefusal(call, 'INVALID_ARGUMENT', TEXT.taskName, 'task.name');
      },
    );

    test('refuses a name in another queue', async () => {
      const queue = await under.pausedQueue();
      const other = await under.pausedQueue();
      const call = under.taskIn(queue, { name: `${other}/tasks/a` });
      const message = `The queue name from request ('${queue}') must be the same as the queue name in the named task ('${other}').`;
      await expectRefusal(call, 'INVALID_ARGUMENT', message, 'task.name');
    });

    test('refuses an id that is taken, but not in another queue', async () => {
      const queue = await under.pausedQueue();
      const other = await under.pausedQueue();
      const name = `${queue}/tasks/a`;
      await under.taskIn(queue, { name });
      const again = under.taskIn(queue, { name });
      await expectRefusal(again, 'ALREADY_EXISTS', 'Requested entity already exists');
      await under.taskIn(other, { name: `${other}/tasks/a` });
    });

    test('lets one of many at once have an id', async () => {
      const queue = await under.pausedQueue();
      const name = `${queue}/tasks/a`;
      const calls = Array.from({ length: 20 }, () => under.taskIn(queue, { name }));
      const results = await Promise.allSettled(calls);
      const refusals = results.filter((result) => result.status === 'rejected');
      expect(refusals).toHaveLength(19);
      for (const { reason } of refusals) expect(reason).toMatchObject({ code: 'ALREADY_EXISTS' });
      expect((await under.api.listTasks({ parent: queue })).tasks).toHaveLength(1);
    });

    test('refuses the id of a task that is gone since lately', async () => {
      const queue = await under.pausedQueue();
      const name = await under.taskIn(queue, { name: `${queue}/tasks/a` });
      await under.api.deleteTask({ name });
      const again = under.taskIn(queue, { name });
      await expectRefusal(again, 'ALREADY_EXISTS', /a task with this name existed too recently/);
    });

    test('does not find a queue that is not there', async () => {
      await expectRefusal(under.taskIn(under.queueName()), 'NOT_FOUND', TEXT.noQueue);
      const bad = under.taskIn('projects/demo/queues/q');
      await expectRefusal(bad, 'INVALID_ARGUMENT', TEXT.queueName, 'parent');
    });

    test('refuses a task without a target, and one with two', async () => {
      const message = 'Task.payload_type is not set.';
      await expectRefusal(create({}), 'INVALID_ARGUMENT', message, 'task');
      const two = create({ ...http(), appEngineHttpRequest: {} });
      await expectRefusal(two, 'INVALID_ARGUMENT', undefined, 'task');
    });

    test('is taken by a queue that runs, too', async () => {
      const queue = await under.pausedQueue();
      await under.api.resumeQueue({ name: queue });
      const scheduleTime = under.now() + 24 * HOUR;
      const name = await under.taskIn(queue, { scheduleTime });
      expect(await under.api.getTask({ name })).toMatchObject({ scheduleTime });
    });
  });

  describe('the schedule time', () => {
    test('is kept to the microsecond, up to 720 hours ahead', async () => {
      for (const ahead of [1, HOUR + 1, MOST_AHEAD - MINUTE - 1]) {
        const scheduleTime = under.now() + MINUTE + ahead;
        expect((await create({ ...http(), scheduleTime })).scheduleTime).toBe(scheduleTime);
      }
    });

    test.each([[-62_135_596_800 * SECOND], [-1], [0], [1_000_000_000_000_001]])(
      'in the past (%d) means now',
      async (scheduleTime) => {
        const before = under.now();
        const task = await create({ ...http(), scheduleTime });
        expect(task.scheduleTime).toBeGreaterThanOrEqual(before);
        expect(task.scheduleTime).toBeLessThanOrEqual(under.now());
      },
    );

    test.each([
      ['2100-01-01T00:00:00Z', '2099-12-31T16:00:00-08:00'],
      ['2100-07-01T00:00:00Z', '2100-06-30T17:00:00-07:00'],
      ['9999-12-31T12:00:00Z', '9999-12-31T04:00:00-08:00'],
    ])('of %s is too far ahead, and so quoted in Pacific time', async (utc, pacific) => {
      const call = create({ ...http(), scheduleTime: Date.parse(utc) * MILLISECOND });
      const message = `The Task.scheduleTime, ${pacific}, is too far in the future. Schedule time must be no more than 720h in the future.`;
      await expectRefusal(call, 'INVALID_ARGUMENT', message, 'task.scheduleTime');
    });

    test('of 721 hours ahead is too far', async () => {
      const call = create({ ...http(), scheduleTime: under.now() + 721 * HOUR });
      await expectRefusal(call, 'INVALID_ARGUMENT', /too far in the future/);
    });

    test.each([0.5, NaN, Infinity])('of %d is refused', async (scheduleTime) => {
      const call = create({ ...http(), scheduleTime });
      await expectRefusal(call, 'INVALID_ARGUMENT', undefined, 'task.scheduleTime');
    });
  });

  describe('the dispatch deadline', () => {
    const APP_ENGINE: TaskInput = { appEngineHttpRequest: {} };

    test.each([
      ['a URL', http(), [15 * SECOND, 15 * SECOND + MILLISECOND, 30 * MINUTE]],
      ['App Engine', APP_ENGINE, [15 * SECOND, HOUR, 24 * HOUR + 15 * SECOND]],
    ])('for %s is kept as given', async (_, task, allowed) => {
      for (const dispatchDeadline of allowed) {
        expect((await create({ ...task, dispatchDeadline })).dispatchDeadline).toBe(
          dispatchDeadline,
        );
      }
    });

    test.each([
      ['a URL', '[15s, 30m]', http(), 30 * MINUTE],
      ['App Engine', '[15s, 24h15s]', APP_ENGINE, 24 * HOUR + 15 * SECOND],
    ])('for %s is within %s', async (_, range, task, most) => {
      for (const dispatchDeadline of [-SECOND, 15 * SECOND - MILLISECOND, most + MILLISECOND]) {
        await expectRefusal(
          create({ ...task, dispatchDeadline }),
          'INVALID_ARGUMENT',
          `Task.dispatchDeadline must be between ${range}.`,
          'task.dispatchDeadline',
        );
      }
    });
  });

  describe('a view', () => {
    const created = async () => {
      const queue = await under.pausedQueue();
      const task: TaskInput = http({ body: BODY, headers: { 'X-Kept': 'yes' } });
      const { name } = await under.api.createTask({ parent: queue, task });
      return { queue, name };
    };

    test('is BASIC unless asked: everything but the body', async () => {
      const { queue, name } = await created();
      const basic = await under.api.getTask({ name });
      expect(basic).toMatchObject({ view: 'BASIC', httpRequest: { headers: { 'X-Kept': 'yes' } } });
      expect(basic.httpRequest).not.toHaveProperty('body');
      expect(await under.api.getTask({ name, responseView: 'BASIC' })).toEqual(basic);
      expect(await under.api.listTasks({ parent: queue })).toEqual({ tasks: [basic] });
    });

    test('that is FULL has the body', async () => {
      const { queue, name } = await created();
      const full = await under.api.getTask({ name, responseView: 'FULL' });
      expect(full).toMatchObject({ view: 'FULL', httpRequest: { body: BODY } });
      expect(await under.api.listTasks({ parent: queue, responseView: 'FULL' })).toEqual({
        tasks: [full],
      });
    });

    test('of a new task is chosen alike', async () => {
      const parent = await under.pausedQueue();
      const task = http({ body: BODY });
      const basic = await under.api.createTask({ parent, task });
      expect(basic.view).toBe('BASIC');
      expect(basic.httpRequest).not.toHaveProperty('body');
      const full = await under.api.createTask({ parent, task, responseView: 'FULL' });
      expect(full).toMatchObject({ view: 'FULL', httpRequest: { body: BODY } });
    });
  });

  describe('getTask', () => {
    test('tells a task that never was from one that is gone', async () => {
      const queue = await under.pausedQueue();
      const name = await under.taskIn(queue);
      const never = under.api.getTask({ name: `${queue}/tasks/never` });
      await expectRefusal(never, 'NOT_FOUND', TEXT.noEntity);
      await under.api.deleteTask({ name });
      await expectRefusal(under.api.getTask({ name }), 'NOT_FOUND', TEXT.taskGone);
    });

    test('answers a copy: what a caller does to it changes nothing', async () => {
      const { name } = await create(http({ body: BODY }));
      const task = await under.api.getTask({ name, responseView: 'FULL' });
      const before = structuredClone(task);
      task.scheduleTime = 0;
      task.httpRequest?.body?.fill(0);
      if (task.httpRequest) task.httpRequest.url = '';
      expect(await under.api.getTask({ name, responseView: 'FULL' })).toEqual(before);
    });

    test('refuses a bad name', async () => {
      const queue = await under.pausedQueue();
      const call = under.api.getTask({ name: `${queue}/a` });
      await expectRefusal(call, 'INVALID_ARGUMENT', TEXT.taskName, 'name');
      await expectRefusal(under.api.getTask({ name: `${queue}/tasks/a b` }), 'INVALID_ARGUMENT');
    });
  });

  describe('deleteTask', () => {
    test('takes the task away, once', async () => {
      const queue = await under.pausedQueue();
      const name = await under.taskIn(queue);
      const other = await under.taskIn(queue);
      await expect(under.api.deleteTask({ name })).resolves.toBeUndefined();
      await expectRefusal(under.api.deleteTask({ name }), 'NOT_FOUND');
      const { tasks } = await under.api.listTasks({ parent: queue });
      expect(tasks.map((task) => task.name)).toEqual([other]);
    });

    test('does not find a task that never was', async () => {
      const queue = await under.pausedQueue();
      const call = under.api.deleteTask({ name: `${queue}/tasks/never` });
      await expectRefusal(call, 'NOT_FOUND', TEXT.noEntity);
      await expectRefusal(under.api.deleteTask({ name: 'x' }), 'INVALID_ARGUMENT', TEXT.taskName);
    });
  });

  describe('runTask', () => {
    test('dispatches though the queue is paused and the task is for later', async () => {
      const queue = await under.pausedQueue();
      const scheduleTime = under.now() + 24 * HOUR;
      const { name } = await create({ ...http({ body: BODY }), scheduleTime }, queue);
      const before = under.now();
      const run = await under.api.runTask({ name });
      expect(run).toMatchObject({ name, dispatchCount: 1, responseCount: 0, view: 'BASIC' });
      expect(run.httpRequest).not.toHaveProperty('body');
      const dispatchTime = run.lastAttempt?.dispatchTime;
      expect(dispatchTime).toBeGreaterThanOrEqual(before);
      expect(dispatchTime).toBeLessThanOrEqual(under.now());
      expect(run.lastAttempt).not.toHaveProperty('responseTime');
      expect(run.firstAttempt).toEqual({ dispatchTime });
    });

    test('answers the body when asked', async () => {
      const { name } = await create(http({ body: BODY }));
      const run = await under.api.runTask({ name, responseView: 'FULL' });
      expect(run).toMatchObject({ view: 'FULL', httpRequest: { body: BODY } });
    });

    test('does not find a task that never was, or no more', async () => {
      const queue = await under.pausedQueue();
      const never = under.api.runTask({ name: `${queue}/tasks/never` });
      await expectRefusal(never, 'NOT_FOUND', TEXT.noEntity);
      const name = await under.taskIn(queue);
      await under.api.deleteTask({ name });
      await expectRefusal(under.api.runTask({ name }), 'NOT_FOUND');
      await expectRefusal(under.api.runTask({ name: 'x' }), 'INVALID_ARGUMENT', TEXT.taskName);
    });
  });

  describe('listTasks', () => {
    const withTasks = async (count: number) => {
      const parent = await under.pausedQueue();
      const names: string[] = [];
      for (let n = 0; n < count; n++) names.push(await under.taskIn(parent));
      return { parent, names };
    };
    const listed = async (parent: string, pageSize: number) => {
      const names: string[] = [];
      const sizes: number[] = [];
      let pageToken = '';
      do {
        const page = await under.api.listTasks({ parent, pageSize, pageToken });
        names.push(...page.tasks.map(({ name }) => name));
        sizes.push(page.tasks.length);
        pageToken = page.nextPageToken ?? '';
      } while (pageToken);
      return { names, sizes };
    };

    test('of an empty queue is empty', async () => {
      const parent = await under.pausedQueue();
      expect(await under.api.listTasks({ parent })).toEqual({ tasks: [] });
    });

    test.each([
      [1, [1, 1, 1, 1, 1, 1]],
      [2, [2, 2, 2]],
      [4, [4, 2]],
      [5, [5, 1]],
      [6, [6]],
      [1000, [6]],
      [0, [6]],
    ])('in pages of %d has every task once', async (pageSize, sizes) => {
      const { parent, names } = await withTasks(6);
      expect(await listed(parent, pageSize)).toEqual({ names, sizes });
    });

    test('goes on where it was, whatever is deleted or created meanwhile', async () => {
      const { parent, names } = await withTasks(4);
      const [a = '', b = '', c = '', d = ''] = names;
      const first = await under.api.listTasks({ parent, pageSize: 2 });
      expect(first.tasks.map(({ name }) => name)).toEqual([a, b]);
      await under.api.deleteTask({ name: b });
      await under.api.deleteTask({ name: c });
      const late = await under.taskIn(parent);
      const rest = await under.api.listTasks({ parent, pageToken: first.nextPageToken ?? '' });
      expect(rest.tasks.map(({ name }) => name)).toEqual([d, late]);
    });

    test('gives a thousand at most', async () => {
      const parent = await under.pausedQueue();
      await Promise.all(Array.from({ length: 1001 }, () => under.taskIn(parent)));
      const { names, sizes } = await listed(parent, 5000);
      expect(sizes).toEqual([1000, 1]);
      expect(new Set(names).size).toBe(1001);
      expect((await under.api.listTasks({ parent })).tasks).toHaveLength(1000);
    });

    test('refuses what it can make nothing of', async () => {
      const { parent } = await withTasks(2);
      const { nextPageToken = '' } = await under.api.listTasks({ parent, pageSize: 1 });
      const list = (request: object) => under.api.listTasks({ parent, ...request });
      await expectRefusal(list({ pageToken: 'x' }), 'INVALID_ARGUMENT', undefined, 'pageToken');
      await expectRefusal(list({ pageSize: -1 }), 'INVALID_ARGUMENT', undefined, 'pageSize');
      const elsewhere = list({ parent: await under.pausedQueue(), pageToken: nextPageToken });
      await expectRefusal(elsewhere, 'INVALID_ARGUMENT', undefined, 'pageToken');
      await expectRefusal(list({ parent: 'x' }), 'INVALID_ARGUMENT', TEXT.queueName, 'parent');
      await expectRefusal(list({ parent: under.queueName() }), 'NOT_FOUND', TEXT.noQueue);
    });
  });
}

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { loadProtos } from '../../src/adapters/rest-protos.js';
import type { HttpRule } from '../../src/adapters/rest-routes.js';
import { engineUnderTest } from '../support/engine-under-test.js';
import type { Ask } from '../support/rest-ask.js';
import { restAsk } from '../support/rest-ask.js';
import type { RestPort } from '../support/rest-port.js';
import { restPort } from '../support/rest-port.js';

const LOCATION = '/v2/projects/demo/locations/here';
const NAME = 'projects/demo/locations/here';

let under: Awaited<ReturnType<typeof engineUnderTest>>;
let port: RestPort;

beforeAll(async () => {
  under = await engineUnderTest({ target: () => 'hold' });
  port = await restPort(under.engine);
  await make('work');
  await ask(`${LOCATION}/queues/work:pause`, { body: {} });
});

afterAll(async () => {
  await port.close();
  under.engine.abandon();
  expect(port.errors).toEqual([]);
});

const ask = (path: string, options?: Ask) => restAsk(port.url, path, options);
const make = (id: string) => ask(`${LOCATION}/queues`, { body: { name: `${NAME}/queues/${id}` } });
const task = { httpRequest: { url: 'https://example.com/' } };

describe('an answer', () => {
  test('is JSON that people can read, ended by a line end', async () => {
    const { status, type, text } = await ask(`${LOCATION}/queues/work`);
    expect(status).toBe(200);
    expect(type).toBe('application/json; charset=utf-8');
    expect(text).toMatch(
      /^\{\n {2}"name": "projects\/demo\/locations\/here\/queues\/work",\n {2}"rateLimits": \{\n {4}/,
    );
    expect(text).toMatch(/\n\}\n$/);
  });

  test('of nothing is {}', async () => {
    await make('gone');
    const { status, text } = await ask(`${LOCATION}/queues/gone`, { method: 'DELETE' });
    expect([status, text]).toEqual([200, '{}\n']);
  });

  test.each([
    ['', 'PAUSED'],
    ['?alt=json&key=k&access_token=t&prettyPrint=false&fields=name&quotaUser=q&$xgafv=2', 'PAUSED'],
    ['?$alt=json;enum-encoding=int', 2],
    ['?%24alt=json%3Benum-encoding%3Dint', 2],
  ])('to the query %j has the state %j', async (query, state) => {
    expect((await ask(`${LOCATION}/queues/work${query}`)).json).toMatchObject({ state });
  });
});

describe('a request', () => {
  test('has its fields in the path, in the query and in the body', async () => {
    const created = await ask(`${LOCATION}/queues/work/tasks`, {
      body: {
        parent: 'the path goes before this',
        task: { ...task, name: `${NAME}/queues/work/tasks/t-1` },
        response_view: 'FULL',
      },
    });
    expect(created.json).toMatchObject({ view: 'FULL', httpRequest: { httpMethod: 'POST' } });
    const read = (query: string) => ask(`${LOCATION}/queues/work/tasks/t-1${query}`);
    expect((await read('')).json).toMatchObject({ view: 'BASIC' });
    for (const query of ['responseView=FULL', 'response_view=FULL', 'responseView=2']) {
      expect((await read(`?${query}`)).json).toMatchObject({ view: 'FULL' });
    }
  });

  test('may leave out a queue’s name in the body, or have another one there', async () => {
    const path = `${LOCATION}/queues/work?updateMask=rateLimits.maxDispatchesPerSecond`;
    for (const [rate, name] of [[3], [4, 'another']]) {
      const body = { name, rateLimits: { maxDispatchesPerSecond: rate } };
      const { json } = await ask(path, { method: 'PATCH', body });
      expect(json).toMatchObject({
        name: `${NAME}/queues/work`,
        rateLimits: { maxDispatchesPerSecond: rate },
      });
    }
  });

  test.each([
    'rateLimits.maxDispatchesPerSecond,retryConfig.maxAttempts',
    'rate_limits.max_dispatches_per_second,retry_config.max_attempts',
    'rate_limits.max_dispatches_per_second%2CretryConfig.maxAttempts',
  ])('may have its mask as %s', async (mask) => {
    await make('masked');
    const before = { rateLimits: { maxDispatchesPerSecond: 5 }, retryConfig: { maxDoublings: 3 } };
    await ask(`${LOCATION}/queues/masked`, { method: 'PATCH', body: before });
    const body = { rateLimits: { maxDispatchesPerSecond: 7 }, retryConfig: { maxDoublings: 9 } };
    const path = `${LOCATION}/queues/masked?updateMask=${mask}`;
    expect((await ask(path, { method: 'PATCH', body })).json).toMatchObject({
      rateLimits: { maxDispatchesPerSecond: 7 },
      retryConfig: { maxAttempts: 100, maxDoublings: 3 },
    });
  });

  test('may have no body, or white space', async () => {
    for (const body of [undefined, '', ' \n']) {
      const asked = { method: 'POST', ...(body === undefined ? {} : { body }) };
      expect((await ask(`${LOCATION}/queues/work:pause`, asked)).status).toBe(200);
    }
  });

  test('may be percent-encoded, also in a project’s name', async () => {
    const name = 'projects/example.com:demo/locations/here/queues/q';
    await ask('/v2/projects/example.com%3Ademo/locations/here/queues', { body: { name } });
    expect((await ask(`/v2/${name}`)).json).toMatchObject({ name });
    expect((await ask('/v2/projects/example%2Ecom%3ademo/locations/here/queues/q')).status).toBe(
      200,
    );
  });

  test('takes as many bytes as a task may have', async () => {
    const body = Buffer.alloc(1_048_000, 255).toString('base64');
    const asked = { body: { task: { httpRequest: { ...task.httpRequest, body } } } };
    expect((await ask(`${LOCATION}/queues/work/tasks`, asked)).status).toBe(200);
  });
});

test('a queue of v2 may route its HTTP tasks, as gcloud asks', async () => {
  const path = `${LOCATION}/queues/routed`;
  const uriOverride = { scheme: 'HTTPS', host: 'example.com', port: '8443' };
  const { json: made } = await ask(`${LOCATION}/queues`, {
    body: { name: `${NAME}/queues/routed`, httpTarget: { uriOverride, httpMethod: 'PUT' } },
  });
  expect(made).toMatchObject({ httpTarget: { uriOverride, httpMethod: 'PUT' } });
  expect(made).not.toMatchObject({ taskTtl: expect.anything() });
  const update = async (mask: string, body = {}) =>
    (await ask(`${path}${mask}`, { method: 'PATCH', body })).json;
  expect(await update('?updateMask=rateLimits')).toMatchObject({ httpTarget: { uriOverride } });
  expect(await update('?updateMask=taskTtl')).toMatchObject({ error: { code: 400 } });
  const cleared = await update('?updateMask=httpTarget.uriOverride,httpTarget.httpMethod', {
    httpTarget: { uriOverride: { pathOverride: {}, queryOverride: {} } },
  });
  expect(cleared).not.toMatchObject({ httpTarget: { uriOverride } });
  expect((await ask(path.replace('v2', 'v2beta3'))).json).toMatchObject({ type: 'PUSH' });
});

describe('a buffered task', () => {
  const buffer = async (path: string, body?: string, headers: Record<string, string> = {}) => {
    const asked = { method: 'POST', headers, ...(body === undefined ? {} : { body }) };
    return ask(`${LOCATION}/queues/buffered/${path}`, asked);
  };

  beforeAll(async () => {
    const httpTarget = { uriOverride: { host: 'example.com', pathOverride: { path: '/in' } } };
    await ask(`${LOCATION}/queues`, { body: { name: `${NAME}/queues/buffered`, httpTarget } });
    await ask(`${LOCATION}/queues/buffered:pause`, { body: {} });
  });

  test.each([
    ['tasks:buffer', /^\d+$/],
    ['tasks/:buffer', /^\d+$/],
    ['tasks/mine-1:buffer', /^mine-1$/],
  ])('by %s has whatever body was sent', async (path, id) => {
    const { status, json } = await buffer(path, 'a <b> c', { 'content-type': 'text/html' });
    expect(status).toBe(200);
    const { name } = (json as { task: { name: string } }).task;
    expect(name.split('/').at(-1)).toMatch(id);
    expect((await ask(`/v2/${name}?responseView=FULL`)).json).toMatchObject({
      httpRequest: {
        url: 'https://example.com/in',
        headers: { 'Content-Type': 'text/html' },
        body: Buffer.from('a <b> c').toString('base64'),
      },
    });
  });

  test('may be of nothing', async () => {
    expect((await buffer('tasks:buffer')).json).toMatchObject({ task: { view: 'BASIC' } });
  });

  test('needs a queue that says where it goes', async () => {
    const { status } = await ask(`${LOCATION}/queues/work/tasks:buffer`, { body: 'x' });
    expect(status).toBe(400);
  });
});

describe('a refusal', () => {
  test('is Google’s envelope', async () => {
    const { status, json } = await ask(`${LOCATION}/queues/nobody`);
    expect(status).toBe(404);
    expect(json).toEqual({
      error: {
        code: 404,
        message:
          'Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize.',
        status: 'NOT_FOUND',
      },
    });
  });

  test('names the field in its details', async () => {
    const body = { task: { httpRequest: { url: 'x' } } };
    const { status, json } = await ask(`${LOCATION}/queues/work/tasks`, { body });
    const message = "HttpTarget.url must start with 'http://' or 'https://'.";
    const fieldViolations = [{ field: 'task.httpRequest.url', description: message }];
    const details = [{ '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations }];
    expect(status).toBe(400);
    expect(json).toEqual({ error: { code: 400, message, status: 'INVALID_ARGUMENT', details } });
  });

  test('has the help that gRPC gives', async () => {
    const { json } = await ask(`${LOCATION}/queues`, { body: { name: 'x' } });
    const link = { description: 'Definition of queue name', url: expect.any(String) as unknown };
    const help = { '@type': 'type.googleapis.com/google.rpc.Help', links: [link] };
    const fault = { fieldViolations: [{ field: 'queue.name' }] };
    expect(json).toMatchObject({ error: { details: [help, fault] } });
  });

  const queue = { name: `${NAME}/queues/x` };
  test.each<[string, Ask, string]>([
    ['?x=1', {}, `Unknown name "x": Cannot bind query parameter. Field 'x' could not be found`],
    ['?pageSize=many', {}, `Invalid value at 'page_size' (TYPE_INT32), "many"`],
    ['?pageSize=1&pageSize=2', {}, 'Proto field is not repeating, cannot start list.'],
    ['?parent.x=1', {}, 'Cannot bind query parameter.'],
    ['', { method: 'GET', body: { filter: 'x' } }, 'Unknown name "filter": Cannot find field.'],
    ['', { body: '{' }, 'Invalid JSON payload received.'],
    ['', { body: '[]' }, 'Root element must be a message.'],
    ['', { body: 'null' }, 'Root element must be a message.'],
    ['', { body: { ...queue, retryConfig: { minBackoff: '1h' } } }, "duration must end with 's'"],
    [
      '',
      { body: { ...queue, retryConfig: { x: 1 } } },
      `Unknown name "x" at 'queue.retry_config': Cannot find field.`,
    ],
    ['', { body: queue, headers: { 'content-type': 'text/plain' } }, 'The body must be JSON'],
    [
      '',
      { body: queue, headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      'The body must be JSON',
    ],
    ['', { body: queue, headers: { 'content-encoding': 'gzip' } }, 'Content-Encoding'],
    ['', { body: `"${'x'.repeat(5 * 2 ** 20)}"` }, 'Request payload size exceeds the limit'],
  ])('of queues%s %# is 400 and says why', async (query, asked, message) => {
    const { status, json } = await ask(`${LOCATION}/queues${query}`, asked);
    expect(status).toBe(400);
    expect(json).toMatchObject({
      error: { code: 400, status: 'INVALID_ARGUMENT', message: expect.stringContaining(message) },
    });
  });

  test('of a body that grows too large in pieces can be read by its sender', async () => {
    const { hostname, port: number } = new URL(port.url);
    const socket = connect(Number(number), hostname);
    socket.write(
      `POST ${LOCATION}/queues HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const piece = 'x'.repeat(2 ** 20);
    for (let i = 0; i < 5; i++) socket.write(`100000\r\n${piece}\r\n`);
    socket.write('0\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1.1 400 [^]*payload size exceeds the limit/);
  });

  test.each([
    ['GET', '/v2/projects/demo'],
    ['GET', '/v2/'],
    ['GET', '/v3/projects/demo/locations'],
    ['GET', `${LOCATION}/queues/`],
    ['GET', `${LOCATION}//queues`],
    ['GET', `${LOCATION}/queues/a/b`],
    ['GET', `${LOCATION}/queues/work:pause`],
    ['GET', `${LOCATION}/queues/work/tasks/:run`],
    ['POST', `${LOCATION}/queues/work:explode`],
    ['POST', `${LOCATION}/queues/work%3Apause`],
    ['PUT', `${LOCATION}/queues/work`],
    ['HEAD', `${LOCATION}/queues/work`],
    ['OPTIONS', `${LOCATION}/queues/work`],
    ['POST', `${LOCATION}/queues/work`],
  ])('of %s %s is 404: nothing is there', async (method, path) => {
    const { status, json } = await ask(path, { method });
    expect(status).toBe(404);
    if (method !== 'HEAD') expect(json).toMatchObject({ error: { status: 'NOT_FOUND' } });
  });
});

test('the pull queues of v2beta2 are refused in a sentence', async () => {
  const path = '/v2beta2/projects/demo/locations/here/queues/q/tasks:lease';
  const { status, json } = await ask(path, { body: {} });
  expect(status).toBe(501);
  const message = expect.stringContaining('pull queues') as unknown;
  expect(json).toMatchObject({ error: { status: 'UNIMPLEMENTED', message } });
});

describe('a page of another site', () => {
  test.each(['https://evil.example', 'null', 'http://localhost.evil.example', 'file://', 'x'])(
    'at %j is refused',
    async (origin) => {
      const { status, json } = await ask(`${LOCATION}/queues/work`, { headers: { origin } });
      expect(status).toBe(403);
      expect(json).toMatchObject({ error: { status: 'PERMISSION_DENIED' } });
    },
  );

  test.each(['http://localhost:3000', 'http://127.0.0.1', 'http://[::1]:8080'])(
    'is not one of this machine, such as %s',
    async (origin) => {
      expect((await ask(`${LOCATION}/queues/work`, { headers: { origin } })).status).toBe(200);
    },
  );

  test('whose name was made to resolve to this machine is refused', async () => {
    const headers = { host: 'evil.example' };
    expect((await ask(`${LOCATION}/queues/work`, { headers })).status).toBe(403);
  });
});

describe('locations', () => {
  const here = {
    name: 'projects/demo/locations/us-central1',
    locationId: 'us-central1',
    labels: { 'cloud.googleapis.com/region': 'us-central1' },
  };

  test.each(['v1', 'v2', 'v2beta3'])('are listed and found in %s', async (version) => {
    const { json } = await ask(`/${version}/projects/demo/locations?pageSize=100`);
    expect(json).toMatchObject({ locations: expect.arrayContaining([here]) });
    expect((await ask(`/${version}/${here.name}`)).json).toEqual(here);
    expect((await ask(`/${version}/projects/de%20mo/locations/x`)).status).toBe(403);
  });

  test('are where App Engine has an application, for gcloud', async () => {
    expect((await ask('/v1/apps/demo')).json).toMatchObject({ name: 'apps/demo', id: 'demo' });
  });
});

/** Every HTTP rule of both services, as a request that has one value for each `*`. */
async function annotatedRoutes(): Promise<[method: string, path: string][]> {
  const root = await loadProtos();
  const methods = ['v2', 'v2beta3'].flatMap(
    (version) => root.lookupService(`google.cloud.tasks.${version}.CloudTasks`).methodsArray,
  );
  const rules = methods.flatMap((method) => {
    const options = method.parsedOptions as Record<string, HttpRule | undefined>[];
    const own = options.flatMap((option) => option['(google.api.http)'] ?? []);
    expect({ method: method.fullName, rules: own.length }).not.toMatchObject({ rules: 0 });
    return own.flatMap((rule) => [rule, ...[rule.additional_bindings ?? []].flat()]);
  });
  return rules.flatMap((rule) =>
    (['get', 'put', 'post', 'delete', 'patch'] as const).flatMap((method) => {
      const path = rule[method]?.replace(/\{[^=}]+=([^}]+)\}/g, '$1').replace(/\*/g, 'x');
      return path === undefined ? [] : [[method.toUpperCase(), path]];
    }),
  ) as [string, string][];
}

test('every route of the protos’ annotations is served', async () => {
  const routes = await annotatedRoutes();
  expect(routes.length).toBeGreaterThanOrEqual(36);
  for (const [method, path] of routes) {
    const { json } = await ask(path, { method });
    const unserved = { error: { message: 'Nothing is served at this path.' } };
    expect({ method, path, json }).not.toMatchObject({ json: unserved });
  }
});

test.each(['v2', 'v2beta3'])(
  'a batch is an operation that %s has done at once',
  async (version) => {
    const parent = `/${version}/${NAME}/queues/work/tasks`;
    const requests = [{ task }, { task: { httpRequest: { url: 'x' } } }];
    const { json: made } = await ask(`${parent}:batchCreate`, { body: { requests } });
    expect(made).toMatchObject({
      done: true,
      metadata: {
        '@type': 'type.googleapis.com/google.cloud.tasks.v2beta3.BatchCreateTasksMetadata',
        failedRequests: { 1: { code: 3 } },
      },
      response: {
        '@type': 'type.googleapis.com/google.cloud.tasks.v2beta3.BatchCreateTasksResponse',
        tasks: [{ httpRequest: task.httpRequest }],
      },
    });
    const { name, response } = made as { name: string; response: { tasks: { name: string }[] } };
    expect((await ask(`/${version}/${name}`)).json).toEqual(made);
    const names = response.tasks.map((each) => each.name);
    const { json: deleted } = await ask(`${parent}:batchDelete`, { body: { names } });
    expect(deleted).toMatchObject({
      done: true,
      response: { '@type': 'type.googleapis.com/google.protobuf.Empty' },
    });
  },
);

test.each(['v2', 'v2beta3'])('a location’s key is kept, and %s answers it', async (version) => {
  const path = `/${version}/projects/demo/locations/${version}/cmekConfig`;
  const name = path.replace(/^\/\w+\//, '');
  const kmsKey = 'projects/demo/locations/here/keyRings/r/cryptoKeys/k';
  expect((await ask(path)).json).toEqual({ name });
  expect((await ask(path, { method: 'PATCH', body: { name, kmsKey } })).json).toEqual({
    name,
    kmsKey,
  });
  expect((await ask(path)).json).toEqual({ name, kmsKey });
});

test('nothing that is sent makes the server fail', async () => {
  const part = fc.oneof(
    fc.constantFrom(
      'v2',
      'projects',
      'demo',
      'locations',
      'here',
      'queues',
      'work',
      'tasks',
      't-1',
    ),
    fc.constantFrom(':run', ':pause', '%', '%2F', '%ff', '..', '', '*', '{name}', '__proto__'),
    fc.webSegment(),
  );
  const name = fc.constantFrom(
    ...['name', 'task', 'queue', 'httpRequest', 'headers', 'body', 'url', 'rateLimits', 'policy'],
    ...['scheduleTime', 'dispatchDeadline', 'updateMask', 'responseView', '__proto__', 'details'],
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.jsonValue({ maxDepth: 1 }),
      fc.constantFrom('1s', '-1s', '2026-01-01T00:00:00Z', 'a.b,c', 'FULL', 1e300, 2 ** 63, ''),
      fc.dictionary(name, tie('tree'), { maxKeys: 4 }),
      fc.array(tie('tree'), { maxLength: 2 }),
    ),
  }));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE'),
      fc.oneof(
        fc.array(part, { maxLength: 9 }).map((parts) => `/${parts.join('/')}`),
        fc.constantFrom(
          ...[`${LOCATION}/queues`, `${LOCATION}/queues/q`, `${LOCATION}/queues/work/tasks`],
          ...[`${LOCATION}/queues/work:run`, `${LOCATION}/queues/work/tasks/t-1:run`],
        ),
      ),
      fc.webQueryParameters(),
      fc.oneof(
        tree.map((json) => JSON.stringify(json)),
        fc.string(),
      ),
      async (method, path, query, body) => {
        const { status } = await ask(`${path}?${query}`, { method, body });
        expect(status).toBeLessThan(500);
      },
    ),
    { numRuns: 1000 },
  );
}, 60_000);

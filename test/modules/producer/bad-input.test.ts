/** What the enqueuing endpoints refuse beside the numbered cases of test/abuse: a clear 4xx, nothing enqueued. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import { TestApp } from '../../support/test-app.js';

const APP_ENGINE = '/add_task_app_engine';
const EXTERNAL = '/add_task_external';

let app: TestApp;

beforeAll(async () => {
  app = await TestApp.start();
  // What is enqueued stays where it can be counted.
  await app.api.pauseQueue({ name: app.queueName() });
});

afterAll(() => app.close());

async function expectNothing(): Promise<void> {
  expect(await app.tasks()).toEqual([]);
}

afterEach(expectNothing);

async function expectRefusal(
  answer: Promise<{ status: number; json: unknown }>,
  status: number,
  rest: object,
): Promise<void> {
  const { status: got, json } = await answer;
  expect({ got, json }).toEqual({
    got: status,
    json: { statusCode: status, message: expect.any(String), ...rest },
  });
}

const INVALID = { code: 'INVALID_ARGUMENT' };

describe.each([APP_ENGINE, EXTERNAL, '/do_external_task'])('POST %s', (path) => {
  test('our own fields come once, however they are spelt', async () => {
    const body = '{"queue":"a","que\\u0075e":"b"}';
    await expectRefusal(app.send('POST', path, body), 400, { ...INVALID, field: 'queue' });
  });

  test.each(['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'])(
    '%s is 405',
    async (method) => {
      const { status, headers, text } = await app.send(method, path);
      expect([status, headers['allow']]).toEqual([405, 'POST']);
      if (method !== 'HEAD') {
        expect(JSON.parse(text)).toEqual({
          statusCode: 405,
          code: 'UNIMPLEMENTED',
          message: `This path allows POST, got ${method}.`,
        });
      }
    },
  );
});

test('a page of another name is no program of this machine', async () => {
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'evil.example:8080',
    '',
  ]) {
    const answer = await exchange(
      `POST ${APP_ENGINE} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).toContain('"code":"PERMISSION_DENIED"');
  }
});

test('says what was expected, what came, and what was meant', async () => {
  const message = async (fields: object) =>
    ((await app.send('POST', APP_ENGINE, fields)).json as { message: string }).message;
  expect(await message({ countdown: 30 })).toBe(
    "countdown: expected a number with its unit, got 30; write '30s' or '30m'.",
  );
  expect(await message({ paylod: 1 })).toBe("Unknown field 'paylod'; did you mean 'payload'?");
  expect(await message({ task_id: 1 })).toBe("Unknown field 'task_id'; did you mean 'taskId'?");
  expect(await message({ foo: 1 })).toMatch(/^Unknown field 'foo'; known are relativeUri, /);
  expect(await message({ queue: 'a/\u001b[31m' })).toBe(
    "queue: expected a queue id of 1 to 100 letters, digits and hyphens, got 'a/\\u001b[31m'.",
  );
  expect(await message({ method: 'get' })).toBe(
    "method: expected one of POST, GET, HEAD, PUT, DELETE, PATCH, OPTIONS, got 'get'.",
  );
});

test('case 75: our own addresses, and others that are not this machine', async () => {
  const appPort = new URL(app.url).port;
  const enginePort = new URL(app.engineUrl).port;
  const denied = { code: 'PERMISSION_DENIED', field: 'url' };
  for (const port of [appPort, enginePort]) {
    for (const host of [
      '127.0.0.1',
      'localhost',
      '[::1]',
      '2130706433',
      '0x7f.1',
      '127.1',
      '0.0.0.0',
      '[::ffff:127.0.0.1]',
      'ｌｏｃａｌｈｏｓｔ',
    ]) {
      await expectRefusal(
        app.send('POST', EXTERNAL, { url: `http://${host}:${port}/tasks/example` }),
        403,
        denied,
      );
    }
  }
  for (const url of ['https://example.com/', 'http://169.254.169.254/', 'http://10.0.0.1/']) {
    await expectRefusal(app.send('POST', EXTERNAL, { url }), 403, denied);
  }
});

/** A request of our own making, and what comes back until the connection ends. */
async function exchange(text: string): Promise<string> {
  const { port } = new URL(app.url);
  const socket = connect(Number(port), '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    // An answer, whole as far as these tests look.
    if (Buffer.concat(chunks).includes('\r\n\r\n')) socket.end();
  });
  socket.on('error', () => socket.destroy());
  socket.write(Buffer.from(text, 'latin1'));
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

/** Cases 88, 89, 91 and 92: callers who are slow, handlers that misbehave, requests that are none. */
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Body } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Task, TaskController } from '../../src/modules/tasks/task-decorators.js';
import { TasksModule } from '../../src/modules/tasks/tasks.module.js';
import { TasksTestbed } from '../../src/testing/tasks-testbed.js';
import { AbusedApp } from './abused-app.js';
import { assertNoSecrets, keepSecret } from './secrets.js';
import { run as slowClients } from './slow-clients.js';

test('88. slow senders are shown out, and others are served meanwhile', async () => {
  expect(await slowClients(60, jest.getSeed())).toMatch(/^60 slow senders and /);
});

test('89. slow readers of a large answer are shown out, and nothing of it is kept', async () => {
  expect(await slowClients(1, jest.getSeed())).toMatch(/ and 1 slow readers shown out, /);
});

describe('a handler', () => {
  let act: (call: number) => unknown = () => undefined;
  let calls = 0;
  let bed: TasksTestbed;
  let logged = '';

  @TaskController('odd')
  class Odd {
    @Task('run', { dispatchDeadline: '1m' })
    run(@Body() _: unknown): unknown {
      return act(++calls);
    }
  }

  beforeAll(async () => {
    const imports = [TasksModule.forRoot({ backend: 'embedded' }), TasksModule.forFeature([Odd])];
    const log = (...parts: unknown[]) => void (logged += `${parts.join(' ')}\n`);
    const builder = Test.createTestingModule({ imports, controllers: [Odd] });
    bed = await TasksTestbed.create(builder.setLogger({ log, error: log, warn: log }));
  });
  afterAll(() => bed.close());

  test.each<[string, () => unknown]>([
    ['throws a text', () => thrown('a text')],
    ['throws null', () => thrown(null)],
    ['throws undefined', () => thrown(undefined)],
    ['throws an object with a status', () => thrown({ status: 200, statusCode: 200 })],
    ['throws an error whose message throws', () => thrown(unreadable())],
    ['rejects with null', () => Promise.reject(thrownBy(null))],
    ['rejects later', () => new Promise((_, reject) => setImmediate(() => reject(new Error('x'))))],
    ['answers what JSON has not', () => ({ circle: BigInt(1) })],
  ])('91. that %s fails once, and is tried again', async (_, fails) => {
    calls = 0;
    logged = '';
    act = (call) => (call === 1 ? fails() : 'done');
    const before = bed.attempts().length;
    await bed.tasks(Odd).run.delay({});
    await bed.drain();
    expect(calls).toBe(2);
    expect(bed.attempts().slice(before)).toMatchObject([{ status: 500 }, { status: 200 }]);
    expect(logged).toContain('failed: ');
  });

  test('91. that never settles is given up 5 s before its deadline, what it says then unheard', async () => {
    calls = 0;
    const late = Promise.withResolvers<never>();
    act = (call) => (call === 1 ? late.promise : 'done');
    const before = bed.attempts().length;
    await bed.tasks(Odd).run.delay({});
    await bed.advance('2m', { mayHang: true });
    late.reject(new Error('late'));
    await bed.drain();
    expect(bed.attempts().slice(before)).toMatchObject([{ status: 500 }, { status: 200 }]);
    expect(calls).toBe(2);
  });
});

describe('on the wire', () => {
  let app: AbusedApp;
  beforeAll(async () => {
    app = await AbusedApp.start();
    keepSecret(app.apiKey, 'the API key');
  });
  afterAll(() => app.close());
  afterEach(async () => {
    expect(app.handled).toEqual([]);
    expect(await app.tasks()).toEqual([]);
    assertNoSecrets(app.takeLog(), 'the log');
  });

  const lines = () =>
    [...app.credentials(), ...app.producerCredentials(), ['Connection', 'close'] as const]
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');

  test.each([
    ['TRACE /abuse/work HTTP/1.1', 404],
    ['TRACE /add_task_external HTTP/1.1', 405],
    ['TRACE / HTTP/1.1', 404],
    ['OPTIONS * HTTP/1.1', 400],
    ['POST http://localhost/abuse/work HTTP/1.1', 400],
    ['POST http://evil.example/abuse/work HTTP/1.1', 400],
    ['POST //abuse/work HTTP/1.1', 404],
    ['POST /abuse//work HTTP/1.1', 404],
    ['POST /abuse/%2e/work HTTP/1.1', 404],
    ['POST /abuse/x/../work HTTP/1.1', 404],
    ['POST /%zz HTTP/1.1', 400],
    ['POST /%ff HTTP/1.1', 400],
    ['GET /abuse/work HTTP/1.1', 404],
    ['PRI * HTTP/2.0', 400],
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['', 400],
  ])('92. %j is answered %d', async (line, status) => {
    const answer = await app.raw(
      `${line}\r\nHost: localhost\r\nContent-Type: application/json\r\n${lines()}\r\n`,
    );
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).not.toContain('made');
  });

  test('92. CONNECT is answered nothing', async () => {
    expect(await app.raw(`CONNECT localhost:80 HTTP/1.1\r\nHost: a\r\n${lines()}\r\n`)).toBe('');
  });
});

function thrown(value: unknown): never {
  throw thrownBy(value);
}

/** What is no error may be thrown all the same. */
function thrownBy(value: unknown): Error {
  return value as Error;
}

function unreadable(): object {
  return {
    get message(): string {
      throw new Error('no message');
    },
  };
}

/** Which tasks are signed, and which of those that stand in a queue are ours to make anew. */
import { describe, expect, test } from '@jest/globals';
import type { Task, TaskInput } from '../../../src/engine/cloud-tasks-api.js';
import { DAY } from '../../../src/engine/time.js';
import { TaskSeals } from '../../../src/modules/auth/task-seals.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const parent = 'projects/p/locations/l/queues/mail';
const secret = 'current-secret-of-the-envelope-012345';
const clock = new VirtualClock();
const isOwn = (url: URL) => Promise.resolve(url.hostname === 'app.example.com');
const seals = new TaskSeals({ envelope: { secret }, isOwn }, clock);

const body = Buffer.from('{"sum":1}');
const OURS: TaskInput = {
  httpRequest: {
    url: 'https://app.example.com/tasks/pay?now',
    headers: { 'X-Tasks-Uid': 'u' },
    body,
  },
};

/** As the queue would keep it. */
async function kept(task: TaskInput = OURS, by = seals): Promise<Task> {
  return (await by.seal({ parent, task })).task as Task;
}

test('an App Engine task and one for our own URL are signed, with the name that they get', async () => {
  for (const task of [OURS, { appEngineHttpRequest: { relativeUri: '/tasks/pay', body } }]) {
    const { name, httpRequest, appEngineHttpRequest } = await kept(task);
    expect(name).toMatch(/^projects\/p\/locations\/l\/queues\/mail\/tasks\/[0-9a-f]{32}$/);
    expect((httpRequest ?? appEngineHttpRequest)?.headers).toMatchObject({
      'X-Tasks-Envelope': expect.stringMatching(/^v1\./),
    });
  }
});

test('a task for somebody else is not, nor is any without a secret', async () => {
  const others = { httpRequest: { url: 'https://other.example.com/tasks/pay' } };
  expect(await kept(others)).toBe(others);
  expect(await kept(OURS, new TaskSeals({ isOwn }, clock))).toBe(OURS);
});

test('a name that was given stays, and an older envelope goes', async () => {
  const name = `${parent}/tasks/mine`;
  const url = 'https://app.example.com/tasks/pay';
  const headers = { 'x-tasks-envelope': 'old' };
  const signed = await kept({ name, httpRequest: { url, headers } });
  expect(signed.name).toBe(name);
  expect(Object.keys(signed.httpRequest?.headers ?? {})).toEqual(['X-Tasks-Envelope']);
  expect(() => seals.check(signed)).not.toThrow();
});

describe('of those in a queue', () => {
  const changed = async (changes: object): Promise<Task> => {
    const task = await kept();
    return { ...task, httpRequest: { ...task.httpRequest, ...changes } } as Task;
  };

  test('one that we have signed is ours, and one that was changed is not', async () => {
    expect(() => seals.check({ ...OURS, name: `${parent}/tasks/x` } as Task)).toThrow(
      'is no X-Tasks',
    );
    const task = await kept();
    expect(() => seals.check(task)).not.toThrow();
    expect(() => seals.check({ ...task, name: `${parent}/tasks/x` })).toThrow('of another task');
    for (const changes of [
      { body: Buffer.from('{"sum":2}') },
      { body: undefined },
      { url: 'https://app.example.com/tasks/refund?now' },
      { httpMethod: 'PUT' },
      { headers: { ...task.httpRequest?.headers, 'X-Tasks-Hop': '1' } },
      { headers: {} },
    ]) {
      const other = await changed(changes);
      expect(() => seals.check(other)).toThrow(
        expect.objectContaining({ code: 'FAILED_PRECONDITION' }),
      );
    }
  });

  test('one of another secret is not, and one is none any more when no task is so old', async () => {
    const task = await kept();
    const others = { envelope: { secret: `${secret}-other` }, isOwn };
    expect(() => new TaskSeals(others, clock).check(task)).toThrow("can't be proven");
    const later = new VirtualClock(clock.now() + 32 * DAY);
    expect(() => new TaskSeals({ envelope: { secret }, isOwn }, later).check(task)).toThrow(
      'too old',
    );
  });

  test('without the secret only one that is not signed is', async () => {
    const bare = new TaskSeals({ isOwn }, clock);
    expect(() => bare.check({ ...OURS, name: `${parent}/tasks/x` } as Task)).not.toThrow();
    const task = await kept();
    expect(() => bare.check(task)).toThrow('set ENVELOPE_SECRET');
  });
});

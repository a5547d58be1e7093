/** The signal of an attempt whose caller went away before it had begun. */
import { afterEach, expect, test } from '@jest/globals';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { request as httpRequest } from 'node:http';
import { deadlineSignal } from '../../../../src/modules/tasks/attempts/attempt-context.js';
import { Loopback } from '../../../support/loopback.js';

const loopback = new Loopback();
afterEach(() => loopback.close());

test('is aborted, and leaves no timer for its deadline', async () => {
  const gone = Promise.withResolvers<[IncomingMessage, ServerResponse]>();
  const url = await loopback.http((request, response) => {
    response.once('close', () => gone.resolve([request, response]));
    caller.destroy();
  });
  const caller = httpRequest(url).on('error', () => {});
  caller.end();
  const timers = new Set<object>();
  const after = () => {
    const timer = { cancel: () => void timers.delete(timer) };
    timers.add(timer);
    return timer;
  };
  const clock = { now: () => 0, at: after, after };
  const signal = deadlineSignal(...(await gone.promise), {
    headers: 'x-cloudtasks',
    arrivedAt: 0,
    clock,
  });
  expect(signal.reason).toMatchObject({ code: 'CANCELLED' });
  expect(timers.size).toBe(0);
});

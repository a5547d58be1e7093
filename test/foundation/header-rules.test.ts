/** Which headers nobody may give a task, in code and at the endpoints. */
import { describe, expect, test } from '@jest/globals';
import { isReserved } from '../../src/foundation/header-rules.js';

describe.each(['code', 'caller'] as const)('by %s', (by) => {
  test.each([
    ...['Host', 'Content-Length', 'Date', 'Connection', 'Proxy-Authorization', 'Set-Cookie'],
    ...['Authorization', 'X-Serverless-Authorization', 'X-Forwarded-For', 'Via', 'X-Real-IP'],
    ...['X-AppEngine-QueueName', 'X-CloudTasks-TaskName', 'X-CloudScheduler', 'X-Google-Internal'],
    ...['Metadata-Flavor', 'X-Goog-Iap-Jwt-Assertion', 'x-aws-ec2-metadata-token'],
    ...['X-Tasks-Payload', 'X-Tasks-Deadline', 'X-Tasks-Uid', 'X-Engine-Signature', '__proto__'],
    ...['x_appengine_queuename', 'X_Tasks_Payload'],
  ])('%s is reserved', (name) => {
    expect(isReserved(name, by)).toBe(true);
  });

  test.each(['X-Request-Id', 'Accept', 'traceparent', 'baggage', 'X-Tasksmith', 'X-Api-Key'])(
    '%s is free',
    (name) => {
      expect(isReserved(name, by)).toBe(false);
    },
  );
});

test('what follows from the arguments is not for code to name, but for a caller', () => {
  for (const name of ['Content-Type', 'User-Agent']) {
    expect([isReserved(name, 'code'), isReserved(name, 'caller')]).toEqual([true, false]);
  }
});

test('a session is for code to name, but not for a caller', () => {
  expect([isReserved('Cookie', 'code'), isReserved('Cookie', 'caller')]).toEqual([false, true]);
});

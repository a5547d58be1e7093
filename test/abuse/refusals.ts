/** Holds an answer against what everybody gets who isn't let in, whatever the reason. */
import { expect } from '@jest/globals';
import type { Answer } from '../support/test-app.js';
import type { AbusedApp } from './abused-app.js';
import { assertNoSecrets } from './secrets.js';

const AT_HANDLERS = {
  401: {
    statusCode: 401,
    code: 'UNAUTHENTICATED',
    message: 'Only verified tasks are let in.',
  },
  403: { statusCode: 403, code: 'PERMISSION_DENIED', message: 'This caller is not let in.' },
  503: {
    statusCode: 503,
    code: 'UNAVAILABLE',
    message: 'Nobody can be verified at the moment.',
  },
} as const;

const AT_PRODUCERS = {
  ...AT_HANDLERS,
  401: { ...AT_HANDLERS[401], message: 'Enqueuing takes a valid credential.' },
  403: { ...AT_HANDLERS[403], message: 'This caller may not enqueue.' },
};

/** By a handler: nothing ran, and neither answer nor log holds a credential. */
export async function expectRefused(
  app: AbusedApp,
  answer: Promise<Answer> | Answer,
  status: keyof typeof AT_HANDLERS = 401,
): Promise<void> {
  await check(app, await answer, AT_HANDLERS[status]);
}

/** By an enqueuing endpoint: there is no task either. */
export async function expectNoTask(
  app: AbusedApp,
  answer: Promise<Answer> | Answer,
  status: keyof typeof AT_PRODUCERS = 401,
): Promise<void> {
  await check(app, await answer, AT_PRODUCERS[status]);
  expect(await app.tasks()).toEqual([]);
}

async function check(
  app: AbusedApp,
  { status, json, text }: Answer,
  expected: { readonly statusCode: number },
): Promise<void> {
  expect({ status, json }).toEqual({ status: expected.statusCode, json: expected });
  expectUntouched(app);
  const log = app.takeLog();
  expect(log).toContain('Refused POST ');
  assertNoSecrets(text, 'the answer');
  assertNoSecrets(log, 'the log');
}

/** No guard has let anybody through since the app was last looked at. */
export function expectUntouched(app: AbusedApp): void {
  expect(app.reached).toEqual([]);
  expect(app.handled).toEqual([]);
}

import type { INestApplication } from '@nestjs/common';
import { Controller, ForbiddenException, Get, HttpException, Res } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Test } from '@nestjs/testing';
import type { Response } from 'express';
import { request } from 'undici';
import { AppServer } from '../../src/app/app-server.js';
import type { ErrorCode } from '../../src/engine/errors.js';
import { CloudTasksError } from '../../src/engine/errors.js';
import { ErrorFilter } from '../../src/app/error-filter.js';

let thrown: unknown;

@Controller()
class Thrower {
  @Get('throw')
  throwIt(): never {
    throw thrown;
  }

  @Get('late')
  late(@Res() response: Response): never {
    response.write('half');
    throw new Error('late');
  }
}

let app: INestApplication;
const logged: unknown[] = [];

beforeAll(async () => {
  const module = await Test.createTestingModule({
    controllers: [Thrower],
    providers: [{ provide: APP_FILTER, useClass: ErrorFilter }],
  }).compile();
  app = module.createNestApplication(new AppServer(), { bodyParser: false });
  const ignore = () => undefined;
  app.useLogger({
    log: ignore,
    warn: ignore,
    error: (message: unknown) => void logged.push(message),
  });
  await app.listen(0, '127.0.0.1');
});

afterAll(() => app.close());

async function answerTo(error: unknown): Promise<unknown> {
  thrown = error;
  const { statusCode, body } = await request(`${await app.getUrl()}/throw`);
  const json = (await body.json()) as { statusCode: number };
  expect(json.statusCode).toBe(statusCode);
  return json;
}

test.each<[ErrorCode, number]>([
  ['INVALID_ARGUMENT', 400],
  ['UNAUTHENTICATED', 401],
  ['PERMISSION_DENIED', 403],
  ['NOT_FOUND', 404],
  ['ALREADY_EXISTS', 409],
  ['ABORTED', 409],
  ['FAILED_PRECONDITION', 412],
  ['RESOURCE_EXHAUSTED', 429],
  ['UNIMPLEMENTED', 501],
  ['UNAVAILABLE', 503],
  ['DEADLINE_EXCEEDED', 504],
])('%s is %d', async (code, statusCode) => {
  const error = new CloudTasksError(code, 'Why.', { field: 'queue' });
  expect(await answerTo(error)).toEqual({ statusCode, code, message: 'Why.', field: 'queue' });
});

test.each([
  [new ForbiddenException('No.'), { statusCode: 403, code: 'PERMISSION_DENIED', message: 'No.' }],
  [
    new HttpException('Gone.', 410),
    { statusCode: 410, code: 'INVALID_ARGUMENT', message: 'Gone.' },
  ],
  [
    new HttpException({ code: 'ALREADY_EXISTS', field: 'x', message: 'Twice.', secret: 1 }, 409),
    { statusCode: 409, code: 'ALREADY_EXISTS', message: 'Twice.', field: 'x' },
  ],
])('%s', async (error, answer) => {
  expect(await answerTo(error)).toEqual(answer);
});

test.each([
  [new Error('secret inside')],
  ['text'],
  [null],
  [undefined],
  [new CloudTasksError('INTERNAL', 'secret')],
])('what nobody foresaw is told to the log, not to the caller: %s', async (error) => {
  logged.length = 0;
  expect(await answerTo(error)).toEqual({
    statusCode: 500,
    code: 'INTERNAL',
    message: 'Internal error.',
  });
  expect(logged).toEqual([error]);
});

test('an answer that has begun is broken off, not passed for whole', async () => {
  const { body } = await request(`${await app.getUrl()}/late`);
  await expect(body.text()).rejects.toThrow();
});

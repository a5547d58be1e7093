import { describe, expect, test } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { AppLogger } from '../../src/app/logger.js';

async function capture(
  write: (logger: AppLogger) => void,
  options: { pretty?: boolean; colors?: boolean; about?: () => object } = {},
): Promise<string[]> {
  const lines: string[] = [];
  const stream = { write: (line: string) => void lines.push(line) };
  write(await AppLogger.create({ pretty: false, ...options, stream }));
  return lines;
}

async function one(write: (logger: AppLogger) => void, about = () => ({})): Promise<unknown> {
  const [line = '', ...more] = await capture(write, { about });
  expect(more).toEqual([]);
  expect(line.trimEnd()).not.toContain('\n');
  return JSON.parse(line);
}

describe('JSON lines', () => {
  test('carry severity, time, message, context, and the task', async () => {
    const line = await one(
      (logger) => logger.log('Hello', 'Jobs'),
      () => ({ task: '42', queue: 'default' }),
    );
    expect(line).toEqual({
      severity: 'INFO',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      message: 'Hello',
      context: 'Jobs',
      task: '42',
      queue: 'default',
    });
  });

  test('have the severities of Cloud Logging', async () => {
    const lines = await capture((logger) => {
      logger.debug('not by default');
      logger.verbose('nor this');
      logger.log('a');
      logger.warn('a');
      logger.error('a');
      logger.fatal('a');
    });
    expect(lines.map((line) => (JSON.parse(line) as { severity: string }).severity)).toEqual([
      'INFO',
      'WARNING',
      'ERROR',
      'CRITICAL',
    ]);
  });

  test('can’t be forged by a message or a field', async () => {
    expect(
      await one((logger) =>
        logger.warn({ message: 'a\n{"severity":"ERROR"}', severity: 'INFO', time: 1 }, 'X'),
      ),
    ).toMatchObject({
      severity: 'WARNING',
      message: 'a\n{"severity":"ERROR"}',
      data: { severity: 'INFO', time: 1 },
    });
  });

  test('keep an error’s stack and its cause’s, from Nest’s own logger too', async () => {
    const error = new Error('outer', { cause: new Error('inner') });
    const lines = await capture((logger) => {
      Logger.overrideLogger(logger);
      new Logger('Ctx').error(error);
      new Logger('Ctx').error('text', 'Error: x\n    at y');
      logger.error(error, 'Other');
    });
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      {
        message: 'outer',
        context: 'Ctx',
        stack_trace: expect.stringMatching(/^Error: outer\n[^]*\ncaused by Error: inner\n/),
      },
      { message: 'text', context: 'Ctx', stack_trace: 'Error: x\n    at y' },
      { message: 'outer', context: 'Other' },
    ]);
  });

  test('never hold a token or the secret of an API key, wherever it stands', async () => {
    const token = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';
    const key = `nct_abcdefghij01_${'s3cr3t_-'.repeat(5)}abc`;
    const lines = await capture((logger) => {
      for (const secret of [token, key]) {
        logger.error(new Error(`Invalid: ${secret}`), 'X');
        logger.log(`a line\n${secret}`);
        logger.warn({ message: 'data', header: [secret] }, { deeper: { secret } });
      }
    });
    expect(lines.join('')).not.toMatch(/c2lnbmF0dXJl|s3cr3t/);
    expect(lines.join('')).toContain('Invalid: (token)');
    expect(lines.join('')).toContain('Invalid: nct_abcdefghij01_(secret)');
  });

  test('take whatever comes for a message', async () => {
    const lines = await capture((logger) => {
      for (const message of [undefined, null, 42, Symbol('x'), ['a']]) logger.log(message);
    });
    expect(lines).toHaveLength(5);
  });
});

test('a terminal gets one readable line, in which nothing acts', async () => {
  const [line = ''] = await capture((logger) => logger.log('a\u001b[2J\nb\u009b', 'Jobs'), {
    pretty: true,
    about: () => ({ task: '4\u001b[31m' }),
  });
  const plain = line.replace(/\u001b\[\d+m/g, '');
  expect(plain).toMatch(
    /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: \[Jobs\] a\\u001b\[2J\\nb\\u009b \{"task":"4\\u001b\[31m"\}\n$/,
  );
});

test('a terminal without colours gets none', async () => {
  const lines = await capture((logger) => logger.error(new Error('x'), 'Jobs'), {
    pretty: true,
    colors: false,
  });
  expect(lines.join('')).toMatch(/ ERROR: \[Jobs\] x\n/);
  expect(lines.join('')).not.toContain('\u001b');
});

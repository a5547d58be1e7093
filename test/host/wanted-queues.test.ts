/** Queues of an app's options, alone and beside a file, and the queues of their dead letters. */
import { afterAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DAY, MINUTE, SECOND } from '../../src/engine/time.js';
import { applyQueues } from '../../src/host/apply-queues.js';
import { planQueues } from '../../src/host/queues-file.js';
import type { QueueSettings } from '../../src/host/queues-plan.js';
import { namedQueues, wantedQueues, withDeadLetters } from '../../src/host/wanted-queues.js';
import { engineUnderTest, LOCATION } from '../support/engine-under-test.js';
import { workElsewhere } from '../support/elsewhere.js';

workElsewhere();

const folder = mkdtempSync(join(tmpdir(), 'wanted-queues-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(content: string): string {
  const file = join(folder, 'q.yaml');
  writeFileSync(file, content);
  return file;
}

describe('in options', () => {
  test('a queue has the names of the API, in groups or without, and durations as everywhere', async () => {
    const wanted = await wantedQueues({
      queues: {
        'email-queue': {
          rateLimits: { maxDispatchesPerSecond: 5, maxConcurrentDispatches: 2 },
          retryConfig: { maxAttempts: 7, minBackoff: '10s', maxBackoff: '10m' },
          taskTtl: '12d',
          state: 'PAUSED',
        },
        plain: { maxDispatchesPerSecond: 1, maxRetryDuration: '0s' },
        nothing: {},
      },
    });
    expect(wanted?.queues.filter(({ id }) => !id.endsWith('-dead-letter'))).toMatchObject([
      {
        id: 'email-queue',
        settings: {
          rateLimits: { maxDispatchesPerSecond: 5, maxConcurrentDispatches: 2 },
          retryConfig: { maxAttempts: 7, minBackoff: 10 * SECOND, maxBackoff: 10 * MINUTE },
          taskTtl: 12 * DAY,
        },
        state: 'PAUSED',
      },
      {
        id: 'plain',
        settings: {
          rateLimits: { maxDispatchesPerSecond: 1 },
          retryConfig: { maxAttempts: -1, maxRetryDuration: 0 },
        },
      },
      { id: 'nothing', settings: { retryConfig: { maxAttempts: -1 } } },
    ]);
  });

  test('settings may be shared, and undefined says nothing', async () => {
    const calm: QueueSettings = { maxDispatchesPerSecond: 1 };
    const wanted = await wantedQueues({
      queues: { a: calm, b: calm, c: { maxAttempts: undefined } as unknown as QueueSettings },
    });
    expect(wanted?.queues.map(({ settings }) => settings.rateLimits)).toEqual([
      ...[{ maxDispatchesPerSecond: 1 }, undefined, { maxDispatchesPerSecond: 1 }],
      ...[undefined, {}, undefined],
    ]);
  });

  const circular: Record<string, unknown> = {};
  circular['rateLimits'] = circular;

  test.each<[unknown, string]>([
    [{ a: { maxAtempts: 3 } }, 'queues.a.maxAtempts: not a field here, did you mean maxAttempts?'],
    [
      { a: { retryConfig: { minBackof: '1s' } } },
      'queues.a.retryConfig.minBackof: not a field here, did you mean minBackoff?',
    ],
    [
      { a: { minBackoff: 10 } },
      "queues.a.minBackoff: expected a duration above zero, such as '500ms' or '10s', got 10",
    ],
    [
      { a: { maxAttempts: 5n } },
      'queues.a.maxAttempts: expected a whole number of at least 1, or -1 for no limit, got 5',
    ],
    [
      { a: { maxAttempts: NaN } },
      'queues.a.maxAttempts: expected a whole number of at least 1, or -1 for no limit, got NaN',
    ],
    [
      { a: { maxAttempts: 3, retryConfig: { maxAttempts: 3 } } },
      'queues.a.retryConfig.maxAttempts: maxAttempts is there twice, first in queues.a.maxAttempts',
    ],
    [
      { a: { minBackoff: '2s', maxBackoff: '1s' } },
      'queues.a: RetryConfig.minBackoff must be less than or equal to RetryConfig.maxBackoff.',
    ],
    [{ a: 'calm' }, "queues.a: expected a map, got 'calm'"],
    [{ a: circular }, 'queues.a.rateLimits.rateLimits: not a field here'],
    [[{ a: {} }], 'queues: expected a map, got a list'],
    [
      { a_b: {} },
      'queues.a_b: expected a queue id of 1 to 100 letters, digits and hyphens as its name',
    ],
  ])('%p is refused', async (queues, message) => {
    const wanted = wantedQueues({ queues: queues as Record<string, QueueSettings> });
    await expect(wanted).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(`TasksModule: ${message}`),
    });
  });
});

describe('a file and options', () => {
  test('go together', async () => {
    const wanted = await wantedQueues({
      queuesFile: fileOf('queues: { a: }'),
      queues: { b: {} },
    });
    expect(wanted?.queues.map(({ id }) => id)).toEqual([
      ...['a', 'a-dead-letter', 'b', 'b-dead-letter'],
    ]);
  });

  test('can’t have the same queue: the error names it, and both places', async () => {
    const queuesFile = fileOf('queues:\n  a:\n  b:\n');
    await expect(wantedQueues({ queuesFile, queues: { b: {} } })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `TasksModule: queues.b: the queue is in ${queuesFile}:3 too: say it in one place only`,
    });
  });

  test('neither is nothing', async () => {
    expect(await wantedQueues({})).toBeUndefined();
  });
});

describe('dead letters', () => {
  const ids = (content: string) =>
    withDeadLetters(planQueues(content, 'q.yaml')).queues.map(({ id, state }) => [id, state]);

  test('have a paused queue beside each, unless the plan has it', () => {
    expect(ids('queues: { a: , b: { state: RUNNING } , b-dead-letter: { taskTtl: 60d } }')).toEqual(
      [
        ['a', undefined],
        ['a-dead-letter', 'PAUSED'],
        ['b', 'RUNNING'],
        ['b-dead-letter', 'PAUSED'],
      ],
    );
  });

  test('can’t be where they would be sent, or have no name', () => {
    expect(() => ids('queues:\n  a-dead-letter: { state: RUNNING }')).toThrow(
      'q.yaml:2: queues.a-dead-letter: a queue of dead letters must be paused: leave its state out',
    );
    expect(ids(`queues: { ${'a'.repeat(88)}: }`)).toHaveLength(2);
    expect(() => ids(`queues: { ${'a'.repeat(89)}: }`)).toThrow(
      /expected at most 88 characters in its name, .* <name>-dead-letter, got 89$/,
    );
  });

  test('are paused again where somebody let them run, and else stay as they are', async () => {
    const { engine: api } = await engineUnderTest();
    const name = `${LOCATION}/queues/a-dead-letter`;
    const plan = withDeadLetters(planQueues('queues: { a: }', 'q.yaml'));
    const apply = async () =>
      (await applyQueues(api, LOCATION, plan)).map(({ kind, text }) => `${kind}: ${text}`);
    expect(await apply()).toEqual([
      'created: Queue a created.',
      'created: Queue a-dead-letter created, paused.',
    ]);
    await api.updateQueue({ queue: { name, rateLimits: { maxDispatchesPerSecond: 3 } } });
    expect(await apply()).toEqual([]);
    await api.resumeQueue({ name });
    expect(await apply()).toEqual([
      'updated: Queue a-dead-letter updated: state RUNNING -> PAUSED.',
    ]);
    expect((await api.getQueue({ name })).rateLimits.maxDispatchesPerSecond).toBe(3);
  });
});

test('two that make the same queues at once don’t disturb each other', async () => {
  const { engine: api } = await engineUnderTest();
  const make = () => applyQueues(api, LOCATION, namedQueues(['a', 'b']));
  const reports = await Promise.all([make(), make(), make()]);
  expect(reports.flat().filter(({ kind }) => kind !== 'created')).toEqual([]);
  expect(reports.flat()).toHaveLength(4);
  expect((await api.getQueue({ name: `${LOCATION}/queues/b-dead-letter` })).state).toBe('PAUSED');
});

test('a queue of which only the name is known is made without end, and then left alone', async () => {
  const { engine: api } = await engineUnderTest();
  const name = `${LOCATION}/queues/a`;
  await applyQueues(api, LOCATION, namedQueues(['a', 'a']));
  expect((await api.getQueue({ name })).retryConfig.maxAttempts).toBe(-1);
  expect((await api.getQueue({ name: `${name}-dead-letter` })).state).toBe('PAUSED');
  await api.updateQueue({ queue: { name, retryConfig: { maxAttempts: 4 } } });
  expect(await applyQueues(api, LOCATION, namedQueues(['a']))).toEqual([]);
  expect((await api.getQueue({ name })).retryConfig.maxAttempts).toBe(4);
  expect(() => namedQueues(['a'.repeat(89)])).toThrow(/expected at most 88 characters/);
});

/** How large a task may be by the contract: its stored form in protobuf, to the byte. */
import { describe, expect, test } from '@jest/globals';
import { google } from '@google-cloud/tasks/build/protos';
import { taskToWire } from '../../src/adapters/wire-task.js';
import type { Task, TaskInput } from '../../src/engine/cloud-tasks-api.js';
import { HOUR, SECOND } from '../../src/engine/time.js';
import type { ApiUnderTest } from './api-under-test.js';
import { expectRefusal, URL } from './api-under-test.js';

/** Measured in production, for both targets: 1 MiB - 7. */
const LARGEST = 1_048_569;

export function describeTaskSize(under: ApiUnderTest): void {
  describe('the largest task', () => {
    test.each([
      ['a URL', (body: Uint8Array): TaskInput => ({ httpRequest: { url: URL, body } })],
      ['App Engine', (body: Uint8Array): TaskInput => ({ appEngineHttpRequest: { body } })],
    ])('for %s is 1,048,569 bytes as stored', async (_, taskWith) => {
      const parent = await under.pausedQueue();
      // The clock may move between two creates: the same whole second has the same size.
      const scheduleTime = Math.floor((under.now() + HOUR) / SECOND) * SECOND;
      const create = (bodyLength: number, id: string) =>
        under.api.createTask({
          parent,
          task: {
            ...taskWith(new Uint8Array(bodyLength)),
            name: `${parent}/tasks/${id}`,
            scheduleTime,
          },
          responseView: 'FULL',
        });
      const probe = 1_040_000;
      const room = LARGEST - sizeOf(await create(probe, 'a'));
      expect(sizeOf(await create(probe + room, 'b'))).toBe(LARGEST);
      const larger = create(probe + room + 1, 'c');
      await expectRefusal(larger, 'INVALID_ARGUMENT', 'Task size too large');
    });
  });
}

function sizeOf(task: Task): number {
  return google.cloud.tasks.v2.Task.encode(withoutDefaults(taskToWire(task))).finish().length;
}

/** The library writes a zero that is set; what is stored has none. */
function withoutDefaults<Message extends object>(message: Message): Message {
  const kept = Object.entries(message).flatMap(([key, value]: [string, unknown]) => {
    if (value === null || value === 0 || value === '') return [];
    const isMessage = typeof value === 'object' && !(value instanceof Uint8Array);
    return [[key, isMessage ? withoutDefaults(value) : value] as const];
  });
  return Object.fromEntries(kept) as Message;
}

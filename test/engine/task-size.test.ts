import { expect, test } from '@jest/globals';
import { protos } from '@google-cloud/tasks';
import fc from 'fast-check';
import { taskSize } from '../../src/engine/task-size.js';
import { SECOND } from '../../src/engine/time.js';

const { Task } = protos.google.cloud.tasks.v2;
const NAME = 'projects/p/locations/l/queues/q/tasks/1';

const instants = fc.integer({ min: SECOND, max: 2 ** 51 });
/** The library writes a zero that is set; what production stores has none. */
const time = (micros: number) => ({
  seconds: Math.floor(micros / SECOND),
  ...(micros % SECOND ? { nanos: (micros % SECOND) * 1000 } : {}),
});
const headers = fc.dictionary(
  fc.stringMatching(/^[A-Za-z-]{1,20}$/).filter((name) => name !== '__proto__'),
  fc.string({ unit: 'binary', maxLength: 300 }),
);
const bodies = fc.option(fc.uint8Array({ minLength: 1, maxLength: 40_000 }), { nil: undefined });

test('equals the length that the protobuf library serializes to', () => {
  fc.assert(
    fc.property(
      instants,
      instants,
      fc.webUrl(),
      headers,
      bodies,
      fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
      fc.boolean(),
      (scheduleTime, createTime, url, map, body, audience, http) => {
        const times = { scheduleTime, createTime };
        const shared = { headers: map, ...(body ? { body } : {}) };
        const token = {
          serviceAccountEmail: 'a@b.c',
          ...(audience === undefined ? {} : { audience }),
        };
        const routing = { service: 's', host: 's.p.appspot.com' };
        const target = http
          ? { httpRequest: { url, httpMethod: 'POST' as const, ...shared, oidcToken: token } }
          : {
              appEngineHttpRequest: {
                httpMethod: 'PUT' as const,
                relativeUri: '/x',
                appEngineRouting: routing,
                ...shared,
              },
            };
        const serialized = Task.encode(
          Task.fromObject({
            name: NAME,
            ...target,
            scheduleTime: time(scheduleTime),
            createTime: time(createTime),
            dispatchDeadline: { seconds: 600 },
            view: 'FULL',
          }),
        ).finish();
        expect(taskSize({ name: NAME, ...target, ...times, dispatchDeadline: 600 * SECOND })).toBe(
          serialized.length,
        );
      },
    ),
  );
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { shortId } from '../../src/engine/resource-name.js';
import { HOUR, MINUTE } from '../../src/engine/time.js';
import type { EngineUnderTest } from '../support/engine-under-test.js';
import { LOCATION, QUEUE, engineUnderTest, httpTask } from '../support/engine-under-test.js';

const later = (clock: EngineUnderTest['clock']) => ({ scheduleTime: clock.now() + HOUR });

/** Every page from first to last; `between` runs after each. */
async function allTasks(
  { engine }: EngineUnderTest,
  pageSize: number,
  between: () => Promise<unknown> = () => Promise.resolve(),
): Promise<string[][]> {
  const pages: string[][] = [];
  let pageToken: string | undefined;
  do {
    const page = await engine.listTasks({
      parent: QUEUE,
      pageSize,
      ...(pageToken === undefined ? {} : { pageToken }),
    });
    pages.push(page.tasks.map(({ name }) => shortId(name)));
    pageToken = page.nextPageToken;
    await between();
  } while (pageToken !== undefined);
  return pages;
}

describe('paging', () => {
  test('shows every task once, in full pages but for the last', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: 1, max: 15 }),
        async (count, pageSize) => {
          const under = await engineUnderTest();
          const ids = Array.from({ length: count }, (_, index) => `t${index}`);
          for (const id of ids) {
            await under.engine.createTask(
              httpTask({ name: `${QUEUE}/tasks/${id}`, ...later(under.clock) }),
            );
          }
          const pages = await allTasks(under, pageSize);
          expect(pages.flat()).toEqual(ids);
          for (const page of pages.slice(0, -1)) expect(page).toHaveLength(pageSize);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('shows what stays from first to last exactly once, whatever comes and goes meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 7 }),
        async (stays, pageSize) => {
          const under = await engineUnderTest();
          const create = (id: string) =>
            under.engine.createTask(
              httpTask({ name: `${QUEUE}/tasks/${id}`, ...later(under.clock) }),
            );
          const ids = stays.map((stay, index) => `${stay ? 'stay' : 'go'}${index}`);
          for (const id of ids) await create(id);
          const going = ids.filter((id) => id.startsWith('go'));
          let added = 0;
          const seen = await allTasks(under, pageSize, async () => {
            const id = going.pop();
            if (id !== undefined) await under.engine.deleteTask({ name: `${QUEUE}/tasks/${id}` });
            if (added < 5) await create(`new${added++}`);
          });
          const staying = ids.filter((id) => id.startsWith('stay'));
          expect(seen.flat().filter((id) => id.startsWith('stay'))).toEqual(staying);
          expect(new Set(seen.flat()).size).toBe(seen.flat().length);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('of queues is in the order of their names', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9-]{1,12}$/), { maxLength: 20 }),
        fc.integer({ min: 1, max: 6 }),
        async (ids, pageSize) => {
          const { engine } = await engineUnderTest();
          const parent = 'projects/demo/locations/elsewhere';
          for (const id of ids) {
            await engine.createQueue({ parent, queue: { name: `${parent}/queues/${id}` } });
          }
          const listed: string[] = [];
          let pageToken: string | undefined;
          do {
            const page = await engine.listQueues({
              parent,
              pageSize,
              ...(pageToken === undefined ? {} : { pageToken }),
            });
            listed.push(...page.queues.map(({ name }) => shortId(name)));
            pageToken = page.nextPageToken;
          } while (pageToken !== undefined);
          expect(listed).toEqual([...ids].sort((a, b) => (a < b ? -1 : 1)));
        },
      ),
      { numRuns: 30 },
    );
  });

  test('takes a token for two hours, and for its own request only', async () => {
    const { engine, clock } = await engineUnderTest();
    for (let count = 0; count < 3; count++) await engine.createTask(httpTask(later(clock)));
    const first = await engine.listTasks({ parent: QUEUE, pageSize: 2 });
    const pageToken = first.nextPageToken ?? '';
    const refused = { code: 'INVALID_ARGUMENT', field: 'pageToken' };
    await expect(
      engine.listTasks({ parent: QUEUE, pageToken, responseView: 'FULL' }),
    ).rejects.toMatchObject(refused);
    await expect(engine.listQueues({ parent: LOCATION, pageToken })).rejects.toMatchObject(refused);
    await expect(engine.listTasks({ parent: QUEUE, pageToken: 'x' })).rejects.toMatchObject(
      refused,
    );
    await engine.pauseQueue({ name: QUEUE });
    await clock.advance(2 * HOUR);
    expect((await engine.listTasks({ parent: QUEUE, pageToken })).tasks).toHaveLength(1);
    await clock.advance(MINUTE);
    await expect(engine.listTasks({ parent: QUEUE, pageToken })).rejects.toMatchObject(refused);
  });
});

/** Work that is asked for several times, on virtual time: who runs it, and what the others hear. */
import { beforeEach, expect, test } from '@jest/globals';
import { MemoryJournal } from '../../../src/adapters/journal-memory.js';
import { CloudTasksError } from '../../../src/engine/errors.js';
import { HOUR, SECOND } from '../../../src/engine/time.js';
import type { Hold } from '../../../src/modules/journal/exclusive-runs.js';
import {
  ExclusiveRuns,
  NotNow,
  RunsElsewhere,
} from '../../../src/modules/journal/exclusive-runs.js';
import { settled, VirtualClock } from '../../support/virtual-clock.js';

const LIMITS = { lease: 30 * SECOND, ttl: HOUR };

/** A journal whose server can go away. */
class Journal extends MemoryJournal {
  away = false;

  override claim(...call: Parameters<MemoryJournal['claim']>) {
    return this.reach(() => super.claim(...call));
  }
  override renew(...call: Parameters<MemoryJournal['renew']>) {
    return this.reach(() => super.renew(...call));
  }
  override complete(...call: Parameters<MemoryJournal['complete']>) {
    return this.reach(() => super.complete(...call));
  }

  private async reach<T>(work: () => Promise<T>): Promise<T> {
    if (this.away) throw new CloudTasksError('UNAVAILABLE', 'gone');
    return work();
  }
}

let clock: VirtualClock;
let journal: Journal;
let runs: ExclusiveRuns;
beforeEach(() => {
  clock = new VirtualClock();
  journal = new Journal(clock);
  runs = new ExclusiveRuns(journal, clock);
});

/** Work that ends when it is told to. */
function held() {
  const end = Promise.withResolvers<string>();
  const started = Promise.withResolvers<Hold>();
  const result = runs.run('k', LIMITS, (hold) => {
    started.resolve(hold);
    return end.promise;
  });
  result.catch(() => undefined);
  return { ...end, started: started.promise, result };
}

const never = () => Promise.reject(new Error('It ran again.'));

test('runs once, and answers the outcome to all who ask within its time', async () => {
  expect(await runs.run('k', LIMITS, async () => 'a')).toEqual({ outcome: 'a', ran: true });
  await clock.advance(HOUR - 1);
  expect(await runs.run('k', LIMITS, never)).toEqual({ outcome: 'a', ran: false });
  await clock.advance(1);
  expect(await runs.run('k', LIMITS, async () => 'b')).toEqual({ outcome: 'b', ran: true });
});

test('what is asked for while it runs is answered 409, however long it runs', async () => {
  const { started, resolve, result } = held();
  await started;
  await clock.advance(HOUR);
  await expect(runs.run('k', LIMITS, never)).rejects.toMatchObject({ status: 409 });
  await expect(runs.run('k', LIMITS, never)).rejects.toBeInstanceOf(NotNow);
  resolve('done');
  await result;
  expect(clock.timers).toBe(0);
});

test('what failed may be run again at once, with a greater fence', async () => {
  const fences: number[] = [];
  const failing = runs.run('k', LIMITS, async ({ fence }) => {
    fences.push(fence);
    throw new Error('broken');
  });
  await expect(failing).rejects.toThrow('broken');
  await runs.run('k', LIMITS, async ({ fence }) => `${fences.push(fence)}`);
  const [first = NaN, second = NaN] = fences;
  expect(second).toBeGreaterThan(first);
  expect(clock.timers).toBe(0);
});

test('a crashed run is taken over when its lease has lapsed', async () => {
  const claim = await journal.claim('k', LIMITS.lease);
  await clock.advance(LIMITS.lease - 1);
  await expect(runs.run('k', LIMITS, never)).rejects.toBeInstanceOf(RunsElsewhere);
  await clock.advance(1);
  const { outcome } = await runs.run('k', LIMITS, async ({ fence }) => String(fence));
  expect(Number(outcome)).toBeGreaterThan(claim.state === 'claimed' ? claim.fence : NaN);
});

test('a run that lost its lease is told, and its outcome is not recorded', async () => {
  const { started, resolve, result } = held();
  const { lost } = await started;
  journal.away = true;
  await clock.advance(LIMITS.lease);
  expect(lost.aborted).toBe(false);
  journal.away = false;
  expect(await journal.claim('k', HOUR)).toMatchObject({ state: 'claimed' });
  await clock.advance(LIMITS.lease / 3);
  expect(lost.aborted).toBe(true);
  expect(lost.reason).toBeInstanceOf(RunsElsewhere);
  resolve('late');
  await expect(result).rejects.toBeInstanceOf(RunsElsewhere);
  expect(await journal.read('k')).toMatchObject({ state: 'running' });
  expect(clock.timers).toBe(0);
});

test('an outcome is recorded as soon as the store is there again', async () => {
  const { started, resolve, result } = held();
  await started;
  journal.away = true;
  resolve('done');
  await clock.advance(10 * SECOND);
  journal.away = false;
  await clock.advance(SECOND);
  expect(await result).toEqual({ outcome: 'done', ran: true });
});

test('an outcome that can’t be recorded while the lease lasts is an error', async () => {
  const { started, resolve, result } = held();
  await started;
  journal.away = true;
  resolve('done');
  await clock.advance(LIMITS.lease);
  await expect(result).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await settled();
  expect(clock.timers).toBe(0);
});

test('nothing runs while the store can’t be reached: come again', async () => {
  journal.away = true;
  const asked = runs.run('k', LIMITS, never);
  await expect(asked).rejects.toBeInstanceOf(NotNow);
  await expect(asked).rejects.toMatchObject({ status: 503 });
});

test('nothing runs where there is no store', async () => {
  const without = new ExclusiveRuns(null, clock);
  expect(without.possible).toBe(false);
  await expect(without.run('k', LIMITS, never)).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: /STORE_URL/,
  });
});

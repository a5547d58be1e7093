import { describe, expect, test } from '@jest/globals';
import { CronExpressionParser } from 'cron-parser';
import { MemoryStore } from '../../src/adapters/memory-store.js';
import type { JobInput } from '../../src/engine/cloud-scheduler-api.js';
import type { TaskStore } from '../../src/engine/ports.js';
import type { Instant } from '../../src/engine/time.js';
import { DAY, HOUR, MILLISECOND, MINUTE, SECOND } from '../../src/engine/time.js';
import type { EngineUnderTest } from '../support/engine-under-test.js';
import { engineUnderTest, LOCATION } from '../support/engine-under-test.js';
import { VirtualClock } from '../support/virtual-clock.js';

const NAME = `${LOCATION}/jobs/nightly`;

function job(input: Partial<JobInput> = {}): { parent: string; job: JobInput } {
  const target = { uri: 'https://example.com/tick' };
  return {
    parent: LOCATION,
    job: { name: NAME, schedule: '*/10 * * * *', httpTarget: target, ...input },
  };
}

function clockText(instant: Instant): string {
  return new Date(instant / MILLISECOND).toISOString().slice(11, 19);
}

function sentAt({ targets }: EngineUnderTest): string[] {
  return targets.sent.map(({ at }) => clockText(at));
}

describe('ticks', () => {
  test('come at their times, each with the headers of Cloud Scheduler', async () => {
    const under = await engineUnderTest();
    await under.engine.createJob(
      job({ httpTarget: { uri: 'https://example.com/tick', body: Buffer.from('hi') } }),
    );
    await under.clock.advance(25 * MINUTE);
    expect(sentAt(under)).toEqual(['00:10:00', '00:20:00']);
    expect(under.targets.sent[0]?.dispatch).toMatchObject({
      target: { kind: 'http', url: 'https://example.com/tick' },
      method: 'POST',
      headers: {
        'User-Agent': 'Google-Cloud-Scheduler',
        'Content-Type': 'application/octet-stream',
        'X-CloudScheduler': 'true',
        'X-CloudScheduler-JobName': 'nightly',
        'X-CloudScheduler-ScheduleTime': '2026-01-01T00:10:00Z',
      },
    });
    expect(await under.engine.getJob({ name: NAME })).toMatchObject({
      state: 'ENABLED',
      scheduleTime: under.clock.now() + 5 * MINUTE,
      lastAttemptTime: under.clock.now() - 5 * MINUTE,
    });
  });

  test('an interval of App Engine counts from the end of the run before', async () => {
    const under = await engineUnderTest({ target: () => 'hold' });
    await under.engine.createJob(job({ schedule: 'every 10 minutes' }));
    await under.clock.advance(13 * MINUTE);
    under.targets.sent[0]?.answer(200);
    await under.clock.advance(10 * MINUTE);
    expect(sentAt(under)).toEqual(['00:10:00', '00:23:00']);
    expect(under.targets.header('X-CloudScheduler-ScheduleTime')).toEqual([undefined, undefined]);
  });

  test('a job never runs twice at once: a long run delays the next, and takes those between', async () => {
    const under = await engineUnderTest({ target: () => 'hold' });
    await under.engine.createJob(job({ schedule: '* * * * *', attemptDeadline: 30 * MINUTE }));
    await under.clock.advance(5 * MINUTE + 30 * SECOND);
    expect(under.targets.mostInFlight).toBe(1);
    under.targets.sent[0]?.answer(200);
    await under.clock.advance(0);
    under.targets.sent[1]?.answer(200);
    await under.clock.advance(MINUTE);
    expect(sentAt(under)).toEqual(['00:01:00', '00:05:30', '00:06:00']);
  });

  test('an OIDC token is made for the target, and only over https', async () => {
    const under = await engineUnderTest();
    const oidcToken = { serviceAccountEmail: 'cron@example.com' };
    const uri = 'https://example.com/tick?a=1';
    await under.engine.createJob(job({ httpTarget: { uri, oidcToken } }));
    await under.clock.advance(10 * MINUTE);
    expect(under.targets.header('Authorization')).toEqual([`Bearer cron@example.com|${uri}`]);
    await expect(
      under.engine.createJob(
        job({ name: `${NAME}-2`, httpTarget: { uri: 'http://example.com', oidcToken } }),
      ),
    ).rejects.toMatchObject({ field: 'job.httpTarget.uri' });
  });

  test('reserved headers of a job are dropped', async () => {
    const under = await engineUnderTest();
    const headers = {
      'X-CloudScheduler-JobName': 'forged',
      'X-CloudTasks-QueueName': 'forged',
      'X-Appengine-Cron': 'true',
      'X-Mine': 'kept',
    };
    await under.engine.createJob(job({ httpTarget: { uri: 'https://example.com', headers } }));
    await under.clock.advance(10 * MINUTE);
    const sent = under.targets.sent[0]?.dispatch.headers ?? {};
    expect(sent).toMatchObject({ 'X-CloudScheduler-JobName': 'nightly', 'X-Mine': 'kept' });
    expect(Object.keys(sent)).not.toContain('X-CloudTasks-QueueName');
    expect(Object.keys(sent)).not.toContain('X-Appengine-Cron');
  });

  test('an App Engine target is sent to its service', async () => {
    const under = await engineUnderTest();
    await under.engine.createJob({
      parent: LOCATION,
      job: {
        name: NAME,
        schedule: '*/10 * * * *',
        appEngineHttpTarget: { relativeUri: '/cron', appEngineRouting: { service: 'worker' } },
      },
    });
    await under.clock.advance(10 * MINUTE);
    expect(under.targets.sent[0]?.dispatch).toMatchObject({
      target: { kind: 'app-engine', service: 'worker', relativeUri: '/cron' },
      headers: { 'User-Agent': 'AppEngine-Google; (+http://code.google.com/appengine)' },
    });
  });
});

describe('retries', () => {
  test('come as often as the job says, with doubled waits, and leave the status', async () => {
    const under = await engineUnderTest({ target: () => 500 });
    await under.engine.createJob(
      job({ retryConfig: { retryCount: 3, minBackoffDuration: 5 * SECOND, maxDoublings: 1 } }),
    );
    await under.clock.advance(15 * MINUTE);
    expect(sentAt(under)).toEqual(['00:10:00', '00:10:05', '00:10:15', '00:10:35']);
    expect(new Set(under.targets.header('X-CloudScheduler-ScheduleTime')).size).toBe(1);
    expect(await under.engine.getJob({ name: NAME })).toMatchObject({
      status: { code: 13, message: 'INTERNAL(13): HTTP status code 500' },
      scheduleTime: under.clock.now() + 5 * MINUTE,
    });
  });

  test('there are none by default, and the status goes with the next success', async () => {
    const under = await engineUnderTest({ target: (attempt) => (attempt === 1 ? 503 : 200) });
    await under.engine.createJob(job());
    await under.clock.advance(15 * MINUTE);
    expect((await under.engine.getJob({ name: NAME })).status).toMatchObject({ code: 14 });
    await under.clock.advance(5 * MINUTE);
    expect(sentAt(under)).toEqual(['00:10:00', '00:20:00']);
    expect((await under.engine.getJob({ name: NAME })).status).toBeUndefined();
  });

  test('give way to the next tick', async () => {
    const under = await engineUnderTest({ target: () => 500 });
    await under.engine.createJob(
      job({ retryConfig: { retryCount: 5, minBackoffDuration: 4 * MINUTE } }),
    );
    await under.clock.advance(21 * MINUTE);
    expect(sentAt(under)).toEqual(['00:10:00', '00:14:00', '00:20:00']);
  });

  test('App Engine instances that start up are waited for, whatever the job says', async () => {
    const under = await engineUnderTest({ target: (attempt) => (attempt < 3 ? 503 : 200) });
    const { httpTarget: _, ...bare } = job().job;
    await under.engine.createJob({ parent: LOCATION, job: { ...bare, appEngineHttpTarget: {} } });
    await under.clock.advance(12 * MINUTE);
    expect(sentAt(under)).toEqual(['00:10:00', '00:10:05', '00:10:15']);
  });

  test('an attempt is cut at its deadline', async () => {
    const under = await engineUnderTest({ target: () => 'hold' });
    await under.engine.createJob(job({ attemptDeadline: 20 * SECOND }));
    await under.clock.advance(11 * MINUTE);
    expect((await under.engine.getJob({ name: NAME })).status).toMatchObject({ code: 4 });
  });
});

describe('verbs', () => {
  test('a pause stops ticks, and resume goes on with the next', async () => {
    const under = await engineUnderTest();
    await under.engine.createJob(job());
    expect(await under.engine.pauseJob({ name: NAME })).toMatchObject({ state: 'PAUSED' });
    expect((await under.engine.getJob({ name: NAME })).scheduleTime).toBeUndefined();
    await under.clock.advance(35 * MINUTE);
    expect(await under.engine.resumeJob({ name: NAME })).toMatchObject({ state: 'ENABLED' });
    await under.clock.advance(10 * MINUTE);
    expect(sentAt(under)).toEqual(['00:40:00']);
    await expect(under.engine.resumeJob({ name: NAME })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
    });
  });

  test('run sends it now, also while it is paused or under way', async () => {
    const under = await engineUnderTest({ target: () => 'hold' });
    await under.engine.createJob(job());
    await under.engine.pauseJob({ name: NAME });
    await under.engine.runJob({ name: NAME });
    await under.clock.advance(SECOND);
    await under.engine.runJob({ name: NAME });
    await under.clock.advance(SECOND);
    expect(sentAt(under)).toEqual(['00:00:00', '00:00:01']);
    under.targets.sent.forEach(({ answer }) => answer(200));
    await under.clock.advance(HOUR);
    expect(under.targets.sent).toHaveLength(2);
  });

  test('an update of the schedule counts from now', async () => {
    const under = await engineUnderTest();
    await under.engine.createJob(job());
    await under.engine.updateJob({
      job: { name: NAME, schedule: '30 * * * *', timeZone: 'America/New_York' },
      updateMask: ['schedule'],
    });
    await under.clock.advance(HOUR);
    expect(sentAt(under)).toEqual(['00:30:00']);
    // Not named by the mask.
    expect((await under.engine.getJob({ name: NAME })).timeZone).toBe('Etc/UTC');
  });

  test('a job that is made anew hears nothing of the one before', async () => {
    const under = await engineUnderTest({ target: () => 'hold' });
    await under.engine.createJob(job());
    await under.clock.advance(10 * MINUTE);
    await under.engine.deleteJob({ name: NAME });
    await under.engine.createJob(job());
    under.targets.sent[0]?.answer(500);
    await under.clock.advance(SECOND);
    const made = await under.engine.getJob({ name: NAME });
    expect(made.status).toBeUndefined();
    expect(made.lastAttemptTime).toBeUndefined();
  });
});

describe('an engine that ends and starts again', () => {
  async function restarted(store: TaskStore, from: EngineUnderTest, downFor: number) {
    from.engine.abandon();
    const clock = new VirtualClock(from.clock.now() + downFor);
    return engineUnderTest({ store, clock });
  }

  test('missed ticks come once, not as a storm', async () => {
    const store = new MemoryStore();
    const first = await engineUnderTest({ store });
    await first.engine.createJob(job({ schedule: '* * * * *' }));
    const second = await restarted(store, first, 3 * DAY + 30 * SECOND);
    await second.clock.advance(MINUTE);
    expect(sentAt(second)).toEqual(['00:00:30', '00:01:00']);
    expect(second.targets.header('X-CloudScheduler-ScheduleTime')[0]).toBe('2026-01-01T00:01:00Z');
  });

  test('a tick that was under way comes again, as the same tick, and no other for it', async () => {
    const store = new MemoryStore();
    const first = await engineUnderTest({ store, target: () => 'hold' });
    await first.engine.createJob(job());
    await first.clock.advance(10 * MINUTE + SECOND);
    const second = await restarted(store, first, MINUTE);
    await second.clock.advance(10 * MINUTE);
    expect(second.targets.header('X-CloudScheduler-ScheduleTime')).toEqual([
      '2026-01-01T00:10:00Z',
      '2026-01-01T00:20:00Z',
    ]);
  });

  test('a pause and a waiting retry are still there', async () => {
    const store = new MemoryStore();
    const first = await engineUnderTest({ store, target: () => 500 });
    await first.engine.createJob(job({ retryConfig: { retryCount: 2 } }));
    await first.engine.createJob(job({ name: `${NAME}-paused` }));
    await first.engine.pauseJob({ name: `${NAME}-paused` });
    await first.clock.advance(10 * MINUTE);
    const second = await restarted(store, first, SECOND);
    await second.clock.advance(9 * MINUTE);
    expect(sentAt(second)).toEqual(['00:10:05']);
  });
});

test.each([
  ['30 2 * * *', 'America/Los_Angeles'],
  ['15,45 0-3 * * *', 'America/Los_Angeles'],
  ['30 2 * * *', 'Europe/Berlin'],
  ['0 1,2,3 * * 7', 'Europe/Berlin'],
])(
  'a year of ticks that the engine sends is the one of an independent implementation: %s in %s',
  async (schedule, timeZone) => {
    const under = await engineUnderTest();
    const start = new Date(under.clock.now() / MILLISECOND);
    const end = start.getTime() + (365 * DAY) / MILLISECOND;
    await under.engine.createJob(job({ schedule, timeZone }));
    await under.clock.advance(365 * DAY);
    const other = CronExpressionParser.parse(schedule, { currentDate: start, tz: timeZone });
    const expected: number[] = [];
    for (let at = other.next(); at.getTime() <= end; at = other.next()) expected.push(at.getTime());
    expect(expected.length).toBeGreaterThan(150);
    expect(under.targets.sent.map(({ at }) => at / MILLISECOND)).toEqual(expected);
    const texts = expected.map((at) => new Date(at).toISOString().replace('.000', ''));
    expect(under.targets.header('X-CloudScheduler-ScheduleTime')).toEqual(texts);
  },
);

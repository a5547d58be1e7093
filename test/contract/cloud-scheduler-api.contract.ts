/** What every CloudSchedulerApi does: the engine in process, by gRPC and by REST. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { CloudSchedulerApi, JobInput } from '../../src/engine/cloud-scheduler-api.js';
import { HOUR, MINUTE, SECOND } from '../../src/engine/time.js';
import { expectRefusal } from './api-under-test.js';

export interface OpenScheduler {
  readonly api: CloudSchedulerApi;
  close(): Promise<void>;
}

/** @param open an empty one, on whose targets nothing answers. */
export function describeCloudSchedulerApi(name: string, open: () => Promise<OpenScheduler>): void {
  describe(`${name} as a CloudSchedulerApi`, () => {
    let opened: OpenScheduler;
    let names = 0;
    let api: CloudSchedulerApi;

    beforeAll(async () => {
      opened = await open();
      api = opened.api;
    });
    afterAll(() => opened.close());

    const location = () => `projects/demo/locations/here-${++names}`;
    const input = (parent: string, job: Partial<JobInput> = {}): JobInput => ({
      name: `${parent}/jobs/nightly`,
      schedule: '0 3 * * *',
      httpTarget: { uri: 'https://example.com/tick' },
      ...job,
    });
    const create = async (job: Partial<JobInput> = {}) => {
      const parent = location();
      return api.createJob({ parent, job: input(parent, job) });
    };

    test('a job gets its defaults, and is read as it was made', async () => {
      const created = await create();
      expect(created).toMatchObject({
        schedule: '0 3 * * *',
        timeZone: 'Etc/UTC',
        state: 'ENABLED',
        httpTarget: {
          uri: 'https://example.com/tick',
          httpMethod: 'POST',
          headers: { 'User-Agent': 'Google-Cloud-Scheduler' },
        },
        retryConfig: {
          retryCount: 0,
          maxRetryDuration: 0,
          minBackoffDuration: 5 * SECOND,
          maxBackoffDuration: HOUR,
          maxDoublings: 5,
        },
        attemptDeadline: 3 * MINUTE,
        scheduleTime: expect.any(Number),
        userUpdateTime: expect.any(Number),
      });
      expect(created.lastAttemptTime).toBeUndefined();
      expect(await api.getJob({ name: created.name })).toEqual(created);
    });

    test('everything that can be said of one comes back', async () => {
      const said = {
        description: 'Every night. Ünï',
        schedule: 'every 5 minutes',
        timeZone: 'America/Los_Angeles',
        httpTarget: {
          uri: 'https://example.com/tick',
          httpMethod: 'PUT' as const,
          headers: { 'X-Mine': 'yes', 'Content-Type': 'text/plain' },
          body: new Uint8Array([0, 1, 255]),
          oidcToken: { serviceAccountEmail: 'a@example.com', audience: 'https://example.com' },
        },
        retryConfig: {
          retryCount: 3,
          maxRetryDuration: 10 * SECOND,
          minBackoffDuration: SECOND,
          maxBackoffDuration: MINUTE,
          maxDoublings: 2,
        },
        attemptDeadline: 20 * SECOND,
      };
      const created = await create(said);
      const { headers } = said.httpTarget;
      expect(created).toMatchObject({
        ...said,
        httpTarget: {
          ...said.httpTarget,
          headers: { ...headers, 'User-Agent': 'Google-Cloud-Scheduler' },
        },
      });
    });

    test('an App Engine target', async () => {
      const parent = location();
      const { httpTarget: _, ...bare } = input(parent);
      const appEngineHttpTarget = {
        relativeUri: '/cron?a=1',
        httpMethod: 'GET' as const,
        appEngineRouting: { service: 'worker', version: 'v1' },
      };
      const job = await api.createJob({ parent, job: { ...bare, appEngineHttpTarget } });
      expect(job).toMatchObject({
        appEngineHttpTarget: {
          ...appEngineHttpTarget,
          appEngineRouting: {
            service: 'worker',
            version: 'v1',
            host: 'v1.worker.demo.appspot.com',
          },
        },
      });
      expect(job.attemptDeadline).toBeUndefined();
    });

    test('lists are in order, by pages', async () => {
      const parent = location();
      for (const id of ['c', 'a', 'b']) {
        await api.createJob({ parent, job: input(parent, { name: `${parent}/jobs/${id}` }) });
      }
      const first = await api.listJobs({ parent, pageSize: 2 });
      expect(first.jobs.map(({ name }) => name.slice(-1))).toEqual(['a', 'b']);
      const pageToken = first.nextPageToken ?? '';
      const second = await api.listJobs({ parent, pageSize: 2, pageToken });
      expect(second.jobs.map(({ name }) => name.slice(-1))).toEqual(['c']);
      expect(second.nextPageToken).toBeUndefined();
      await expectRefusal(api.listJobs({ parent: location(), pageToken }), 'INVALID_ARGUMENT');
      expect((await api.listJobs({ parent: location() })).jobs).toEqual([]);
    });

    describe('an update', () => {
      test('without a mask replaces every field', async () => {
        const { name } = await create({ description: 'old', timeZone: 'Europe/Berlin' });
        const updated = await api.updateJob({
          job: { name, schedule: '1 * * * *', httpTarget: { uri: 'https://example.com/b' } },
        });
        expect(updated).toMatchObject({
          schedule: '1 * * * *',
          timeZone: 'Etc/UTC',
          httpTarget: { uri: 'https://example.com/b' },
        });
        expect(updated.description).toBeUndefined();
      });

      test('with a mask changes what that names, whatever else is sent', async () => {
        const { name } = await create({ timeZone: 'Europe/Berlin', description: 'kept' });
        const updated = await api.updateJob({
          job: {
            name,
            schedule: '5 * * * *',
            timeZone: 'Etc/UTC',
            retryConfig: { retryCount: 5 },
            httpTarget: { uri: 'https://example.com/b', httpMethod: 'GET' },
          },
          updateMask: ['schedule', 'httpTarget.uri', 'description'],
        });
        expect(updated).toMatchObject({
          schedule: '5 * * * *',
          timeZone: 'Europe/Berlin',
          retryConfig: { retryCount: 0 },
          httpTarget: { uri: 'https://example.com/b', httpMethod: 'POST' },
        });
        // Named, and not given.
        expect(updated.description).toBeUndefined();
      });

      test('of the target replaces one of the other kind', async () => {
        const { name } = await create();
        const updated = await api.updateJob({
          job: { name, appEngineHttpTarget: { relativeUri: '/x' } },
          updateMask: ['appEngineHttpTarget'],
        });
        expect(updated.httpTarget).toBeUndefined();
        expect(updated.appEngineHttpTarget?.relativeUri).toBe('/x');
      });

      test('of a token replaces one of the other kind', async () => {
        const { name } = await create({
          httpTarget: {
            uri: 'https://example.com',
            oidcToken: { serviceAccountEmail: 'a@example.com' },
          },
        });
        const updated = await api.updateJob({
          job: { name, httpTarget: { oauthToken: { serviceAccountEmail: 'b@example.com' } } },
          updateMask: ['httpTarget.oauthToken.serviceAccountEmail'],
        });
        expect(updated.httpTarget).toMatchObject({
          uri: 'https://example.com',
          oauthToken: { serviceAccountEmail: 'b@example.com' },
        });
        expect(updated.httpTarget?.oidcToken).toBeUndefined();
      });

      test('of no field and of no job is refused', async () => {
        const { name } = await create();
        await expectRefusal(
          api.updateJob({ job: { name }, updateMask: ['httpTarget.url'] }),
          'INVALID_ARGUMENT',
          /httpTarget.url|http_target.url/,
        );
        await expectRefusal(
          api.updateJob({ job: input(location()) }),
          'NOT_FOUND',
          'Job not found.',
        );
      });
    });

    test('pause, resume, delete', async () => {
      const { name } = await create();
      expect(await api.pauseJob({ name })).toMatchObject({ state: 'PAUSED' });
      expect((await api.getJob({ name })).scheduleTime).toBeUndefined();
      await expectRefusal(api.pauseJob({ name }), 'FAILED_PRECONDITION');
      expect(await api.resumeJob({ name })).toMatchObject({ scheduleTime: expect.any(Number) });
      await expectRefusal(api.resumeJob({ name }), 'FAILED_PRECONDITION');
      await api.deleteJob({ name });
      await expectRefusal(api.deleteJob({ name }), 'NOT_FOUND', 'Job not found.');
      await expectRefusal(api.runJob({ name }), 'NOT_FOUND', 'Job not found.');
    });

    test('a run is on record when it is answered', async () => {
      const { name } = await create();
      const run = await api.runJob({ name });
      expect(run.lastAttemptTime).toEqual(expect.any(Number));
      expect(await api.getJob({ name })).toEqual(run);
    });

    test('a name is taken while its job is there, and no longer', async () => {
      const job = await create();
      const parent = job.name.replace(/\/jobs\/.*/, '');
      const again = () => api.createJob({ parent, job: input(parent) });
      await expectRefusal(again(), 'ALREADY_EXISTS', `Job [${job.name}] already exists.`);
      await api.deleteJob({ name: job.name });
      await again();
    });

    describe('is refused:', () => {
      test.each<[string, Partial<JobInput>, string | RegExp, string]>([
        [
          'six fields',
          { schedule: '* * * * * *' },
          "Schedule '* * * * * *': expected 5 fields, got 6, at character 11.",
          'schedule',
        ],
        ['no schedule', { schedule: '' }, /expected 5 fields, got 0/, 'schedule'],
        ['an unknown time zone', { timeZone: 'Mars/Olympus' }, /'Mars\/Olympus'/, 'timeZone'],
        [
          'no scheme',
          { httpTarget: { uri: 'example.com' } },
          /got 'example.com'/,
          'job.httpTarget.uri',
        ],
        ['a long description', { description: 'x'.repeat(501) }, /got 501/, 'job.description'],
        [
          'too many retries',
          { retryConfig: { retryCount: 6 } },
          'RetryConfig.retryCount must be a whole number from 0 to 5, got 6.',
          'job.retryConfig.retryCount',
        ],
        [
          'a backoff that shrinks',
          { retryConfig: { minBackoffDuration: MINUTE, maxBackoffDuration: SECOND } },
          /at most maxBackoffDuration/,
          'job.retryConfig.minBackoffDuration',
        ],
        ['a short deadline', { attemptDeadline: SECOND }, /\[15s, 30m\]/, 'job.attemptDeadline'],
        [
          'a long deadline',
          { attemptDeadline: 31 * MINUTE },
          /\[15s, 30m\]/,
          'job.attemptDeadline',
        ],
        [
          'a token over http',
          {
            httpTarget: { uri: 'http://example.com', oidcToken: { serviceAccountEmail: 'a@b' } },
          },
          /must start with 'https:\/\/'/,
          'job.httpTarget.uri',
        ],
        [
          'a body with GET',
          { httpTarget: { uri: 'https://a.example', httpMethod: 'GET', body: new Uint8Array(1) } },
          /got GET/,
          'job.httpTarget.body',
        ],
        [
          'more than a megabyte',
          { httpTarget: { uri: 'https://a.example', body: new Uint8Array(1024 * 1024) } },
          /Job size too large/,
          'job',
        ],
      ])('%s', async (_, job, message, field) => {
        await expectRefusal(create(job), 'INVALID_ARGUMENT', message, field);
      });

      test('Pub/Sub, with UNIMPLEMENTED and a sentence', async () => {
        const parent = location();
        const { httpTarget: _, ...bare } = input(parent);
        await expectRefusal(
          api.createJob({
            parent,
            job: { ...bare, pubsubTarget: { topicName: 'projects/p/topics/t' } },
          }),
          'UNIMPLEMENTED',
          /Pub\/Sub: give the job an httpTarget/,
        );
      });

      test('no target, PATCH on App Engine, a bad name, another location', async () => {
        const parent = location();
        const { httpTarget: _, ...bare } = input(parent);
        await expectRefusal(
          api.createJob({ parent, job: bare }),
          'INVALID_ARGUMENT',
          /target is not set/,
        );
        await expectRefusal(
          api.createJob({ parent, job: { ...bare, appEngineHttpTarget: { httpMethod: 'PATCH' } } }),
          'INVALID_ARGUMENT',
          /got 'PATCH'/,
        );
        await expectRefusal(
          api.createJob({ parent, job: input(parent, { name: `${parent}/jobs/a b` }) }),
          'INVALID_ARGUMENT',
          /Job name must be formatted/,
        );
        await expectRefusal(
          api.createJob({ parent: location(), job: input(parent) }),
          'INVALID_ARGUMENT',
          /must be the same as the location/,
        );
      });
    });
  });
}

/** `schedules plan`, `schedules apply` and `generate` as processes, against a real engine over gRPC. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningEngine } from '../../src/host/running-engine.js';
import { planQueues } from '../../src/host/queues-file.js';
import { startEngine } from '../../src/host/start-engine.js';
import { runCli } from '../support/engine-process.js';
import { workElsewhere } from '../support/elsewhere.js';

workElsewhere();

const LOCATION = 'projects/local/locations/us-central1';
const SERVICE = 'https://app.example.com';
const folder = mkdtempSync(join(tmpdir(), 'cli-schedules-'));
afterAll(() => rmSync(folder, { recursive: true }));

let engine: RunningEngine;
beforeEach(async () => {
  engine = await startEngine({ dataDir: ':memory:', port: 0 });
});
afterEach(() => engine.close());

function file(content: string, name = 'tasks.config.yaml'): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function schedules(command: string, path: string, ...more: string[]) {
  const { code, stdout, stderr } = await runCli([
    ...['schedules', command, '--file', path, '--port', new URL(engine.url).port],
    ...['--service-url', SERVICE, '--service-account', 'tasks@example.com', ...more],
  ]);
  // When the next runs are is another one's business.
  const lines = stdout.trimEnd().split('\n').slice(1);
  return { code, lines: lines.map((line) => line.replace(/, next .*/, ', next …')), stderr };
}

const FILE = `schedules:
  nightly: { schedule: '0 3 * * *', timeZone: America/Los_Angeles, task: cleanup, overlap: skip }
  often: { schedule: every 5 minutes, task: sync-data, payload: { entity_id: a } }
`;

const job = (id: string) => engine.api.getJob({ name: `${LOCATION}/jobs/${id}` });

describe('plan and apply', () => {
  test('show what will be made, make it, and then have nothing to do', async () => {
    const path = file(FILE);
    const shown = [
      '+ nightly  create',
      '    0 3 * * *, next …',
      '+ often    create',
      '    every 5 minutes, next …',
      '2 to create.',
    ];
    expect(await schedules('plan', path)).toEqual({ code: 2, lines: shown, stderr: '' });
    expect((await engine.api.listJobs({ parent: LOCATION })).jobs).toEqual([]);
    expect(await schedules('apply', path)).toMatchObject({
      code: 0,
      lines: [...shown, 'Schedule nightly created.', 'Schedule often created.'],
    });
    expect(await job('nightly')).toMatchObject({
      schedule: '0 3 * * *',
      timeZone: 'America/Los_Angeles',
      description: 'Makes a task for cleanup. [nest-cloud-tasks]',
      httpTarget: {
        uri: `${SERVICE}/_cron/nightly`,
        oidcToken: { serviceAccountEmail: 'tasks@example.com', audience: SERVICE },
      },
      retryConfig: { retryCount: 3 },
    });
    expect(await schedules('plan', path)).toMatchObject({
      code: 0,
      lines: [
        '  nightly  unchanged',
        '    0 3 * * *, next …',
        '  often    unchanged',
        '    every 5 minutes, next …',
        '2 unchanged.',
      ],
    });
  });

  test('update in place, leave a pause and others alone, delete what is ours and gone', async () => {
    await schedules('apply', file(FILE));
    await engine.api.pauseJob({ name: `${LOCATION}/jobs/nightly` });
    const target = { uri: 'https://elsewhere.example.com/_cron/other' };
    for (const [id, description] of [
      ['theirs', 'By hand.'],
      ['of-another-app', 'Of another app. [nest-cloud-tasks]'],
    ] as const) {
      const name = `${LOCATION}/jobs/${id}`;
      const input = { name, description, schedule: '* * * * *', httpTarget: target };
      await engine.api.createJob({ parent: LOCATION, job: input });
    }
    const path = file("schedules:\n  nightly: { schedule: '5 3 * * *', task: cleanup }\n");
    expect(await schedules('apply', path)).toEqual({
      code: 0,
      lines: [
        '~ nightly  update, paused: no ticks',
        "    schedule '0 3 * * *' -> '5 3 * * *'",
        "    timeZone 'America/Los_Angeles' -> 'Etc/UTC'",
        '    5 3 * * *, next …',
        '- often    delete',
        '1 to update, 1 to delete.',
        'Schedule nightly updated.',
        'Schedule often deleted.',
      ],
      stderr: '',
    });
    const { jobs } = await engine.api.listJobs({ parent: LOCATION });
    expect(jobs.map(({ name, state }) => `${name.replace(/.*\//, '')} ${state}`)).toEqual([
      'nightly PAUSED',
      'of-another-app ENABLED',
      'theirs ENABLED',
    ]);
  });

  test("somebody else's job of the same name stays as it is, and that is an error", async () => {
    await engine.api.createJob({
      parent: LOCATION,
      job: {
        name: `${LOCATION}/jobs/nightly`,
        schedule: '* * * * *',
        httpTarget: { uri: 'https://elsewhere.example.com/' },
      },
    });
    const { code, lines } = await schedules('apply', file(FILE));
    expect(code).toBe(1);
    expect(lines[0]).toBe("! nightly  left as it is: a job of this name that this didn't make");
    expect(await job('nightly')).toMatchObject({ schedule: '* * * * *' });
    expect(await job('often')).toMatchObject({ schedule: 'every 5 minutes' });
  });

  test('what the API refuses is told, and the others are made', async () => {
    const path = file(
      `schedules:\n  long: { schedule: '0 3 * * *', task: a, payload: 1 }\n  fine: { schedule: '0 3 * * *', task: a }\n`,
    );
    const url = `https://app.example.com/${'x'.repeat(2_060)}`;
    const { code, lines } = await schedules('apply', path, '--service-url', url);
    expect(code).toBe(1);
    expect(lines.join('\n')).toMatch(
      /Schedule long can't be created: INVALID_ARGUMENT: HttpTarget.uri/,
    );
  });

  test.each([
    [
      'six fields',
      "schedules:\n  a: { schedule: '* * * * * *', task: a }",
      /:2: .*expected 5 fields, got 6, at character 11/,
    ],
    [
      'an unknown key',
      "schedules:\n  a: { schedule: '* * * * *', task: a, tz: UTC }",
      /:2: schedules.a.tz: not a field here/,
    ],
    ['queues alone', 'queues:\n  mail:', /^$/],
  ])('%s', async (_, content, message) => {
    const { code, stderr } = await schedules('plan', file(content));
    expect(stderr.trim()).toMatch(message);
    expect(code).toBe(stderr === '' ? 0 : 1);
  });

  test('the schedules of an app are those of its code, which is loaded and not started', async () => {
    const index = new URL('../../dist/index.js', import.meta.url).href;
    const app = file(
      `import { Schedule } from ${JSON.stringify(index)};
      class Reports { daily() { throw new Error('called'); } }
      const of = Object.getOwnPropertyDescriptor(Reports.prototype, 'daily');
      Schedule('0 6 * * *', { name: 'reports', retry: { retryCount: 1 } })(Reports.prototype, 'daily', of);
      Schedule('every 5 minutes')(Reports.prototype, 'daily', of);`,
      'app.module.mjs',
    );
    const { code, lines } = await schedules('apply', file(FILE), '--app', app);
    expect(code).toBe(0);
    expect(lines).toContain('4 to create.');
    expect(await job('reports')).toMatchObject({
      description: 'Makes a task for Reports.daily. [nest-cloud-tasks]',
      retryConfig: { retryCount: 1 },
    });
    expect(await job('Reports-daily')).toMatchObject({ schedule: 'every 5 minutes' });
    const twice = file("schedules:\n  reports: { schedule: '0 3 * * *', task: a }\n");
    const { stderr } = await schedules('plan', twice, '--app', app);
    expect(stderr).toMatch(/@Schedule of Reports.daily: the name reports is taken by .*:2/);
  });

  test('without an address there is nowhere to send ticks', async () => {
    const { code, stderr } = await runCli(['schedules', 'plan', '--file', file(FILE)]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('--service-url')]);
  });
});

describe('generate', () => {
  const generate = (what: string, content: string, ...more: string[]) =>
    runCli(['generate', what, '--file', file(content), ...more]);

  test('queue.yaml, which means the same as the file that it is made of', async () => {
    const content = `queues:
  default: { maxDispatchesPerSecond: 100, maxConcurrentDispatches: 50, minBackoff: 10s, maxBackoff: 10m, maxDoublings: 4 }
  slow: { maxDispatchesPerSecond: 0.5, maxBurstSize: 3, maxAttempts: 7, maxRetryDuration: 1h, taskTtl: 20d }
  routed: { appEngineRoutingOverride: { service: worker, version: v1 } }
  stopped: { state: PAUSED }
`;
    const { code, stdout } = await generate('queue.yaml', content);
    expect(code).toBe(0);
    expect(stdout).toContain('#   slow: taskTtl');
    const plan = planQueues(stdout, 'queue.yaml');
    const settings = new Map(plan.queues.map((queue) => [queue.id, queue]));
    expect([...settings.keys()]).toEqual(
      ['default', 'slow', 'routed', 'stopped'].flatMap((id) => [id, `${id}-dead-letter`]),
    );
    expect(settings.get('default')?.settings).toMatchObject({
      rateLimits: { maxDispatchesPerSecond: 100, maxBurstSize: 20, maxConcurrentDispatches: 50 },
      retryConfig: { maxAttempts: -1, minBackoff: 10e6, maxBackoff: 600e6, maxDoublings: 4 },
    });
    expect(settings.get('slow')?.settings).toMatchObject({
      rateLimits: { maxDispatchesPerSecond: 0.5, maxBurstSize: 3 },
      retryConfig: { maxAttempts: 7, maxRetryDuration: 3600e6 },
    });
    expect(settings.get('routed')?.settings.appEngineRoutingOverride).toEqual({
      service: 'worker',
      version: 'v1',
    });
    for (const id of ['stopped', 'default-dead-letter']) {
      expect(settings.get(id)?.state).toBe('PAUSED');
    }
  });

  test('cron.yaml, in the words that App Engine has', async () => {
    const content = `schedules:
  a: { schedule: '0 3 * * *', timeZone: America/Los_Angeles, task: a, description: Nightly, retry: { retryCount: 2, maxRetryDuration: 1h, minBackoff: 10s } }
  b: { schedule: '*/5 * * * *', task: a }
  c: { schedule: '0 */2 * * *', task: a }
  d: { schedule: '30 9,17 * * mon-fri', task: a }
  e: { schedule: '0 4 1,15 jan,jul *', task: a }
  f: { schedule: '15 5 * 6 0,7', task: a }
  g: { schedule: every 5 minutes, task: a }
`;
    const output = join(folder, 'cron.yaml');
    const { code, stderr } = await generate('cron.yaml', content, '--output', output);
    expect([code, stderr]).toEqual([0, '']);
    const text = readFileSync(output, 'utf8');
    const entries = [...text.matchAll(/url: (\S+)\n\s+schedule: (.*)/g)].map(
      ([, url, schedule]) => [url, schedule],
    );
    expect(entries).toEqual([
      ['/_cron/a', 'every day 03:00'],
      ['/_cron/b', 'every 5 minutes synchronized'],
      ['/_cron/c', 'every 2 hours synchronized'],
      ['/_cron/d', 'every mon,tue,wed,thu,fri 09:30'],
      ['/_cron/d', 'every mon,tue,wed,thu,fri 17:30'],
      ['/_cron/e', '1,15 of jan,jul 04:00'],
      ['/_cron/f', 'every sun of jun 05:15'],
      ['/_cron/g', 'every 5 minutes'],
    ]);
    expect(text).toContain('timezone: America/Los_Angeles');
    expect(text).toMatch(/job_retry_limit: 2\n\s+job_age_limit: 3600s\n\s+min_backoff_seconds: 10/);
  });

  test.each([
    ["'0 3 13 * 5'", 'it has days of the month or days of the week, not either'],
    ["'*/5 9-17 * * *'", 'it would take 108 entries'],
  ])('a schedule that App Engine has no words for is refused: %s', async (schedule, message) => {
    const { code, stderr } = await generate(
      'cron.yaml',
      `schedules:\n  a: { schedule: ${schedule}, task: a }\n`,
    );
    expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
  });
});

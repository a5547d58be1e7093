/** Queues in a file: its three forms, what is wrong with one, and that applying twice changes nothing. */
import { describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  CloudTasksApi,
  Queue,
  RateLimits,
  RetryConfig,
} from '../../src/engine/cloud-tasks-api.js';
import { DAY, HOUR, MILLISECOND, MINUTE, SECOND } from '../../src/engine/time.js';
import { applyQueues } from '../../src/host/apply-queues.js';
import { planQueues, readQueuesFile } from '../../src/host/queues-file.js';
import { engineUnderTest, LOCATION } from '../support/engine-under-test.js';

/** As it stands in the document that describes this form. */
const RESOURCES = `
project_name: task-processor
provider: gcp
region: us-central1
architecture_type: cloud_tasks_jobs

resources:
  - id: email-queue
    type: cloud_tasks_queue
    name: email-queue
    provider: gcp
    config:
      max_dispatches_per_second: 50
      max_concurrent_dispatches: 50
      max_attempts: 5
      min_backoff: 10s
      max_backoff: 600s

  - id: webhook-queue
    type: cloud_tasks_queue
    name: webhook-queue
    provider: gcp
    config:
      max_dispatches_per_second: 100
      max_concurrent_dispatches: 100
      max_attempts: 10
      min_backoff: 5s
      max_backoff: 300s

  - id: worker
    type: cloud_run
    name: task-worker
    provider: gcp
    config:
      port: 8080
      memory: 1Gi
      cpu: "2"
      min_instances: 1
      max_instances: 20
      timeout: 600
      allow_unauthenticated: false

  - id: daily-cleanup
    type: cloud_scheduler
    name: daily-cleanup
    provider: gcp
    config:
      schedule: "0 3 * * *"
      target_url: https://task-worker.run.app/tasks/cleanup
      time_zone: America/Los_Angeles
`;

const API_DEFAULTS = {
  rateLimits: { maxDispatchesPerSecond: 500, maxBurstSize: 100, maxConcurrentDispatches: 1000 },
  retryConfig: {
    maxAttempts: 100,
    maxRetryDuration: 0,
    minBackoff: 100 * MILLISECOND,
    maxBackoff: HOUR,
    maxDoublings: 16,
  },
};

/** gcloud's, for a queue that queue.yaml says nothing more of. */
const QUEUE_YAML_DEFAULTS: RetryConfig = { ...API_DEFAULTS.retryConfig, maxAttempts: -1 };

async function anEngine(): Promise<CloudTasksApi> {
  const { engine } = await engineUnderTest();
  return engine;
}

async function apply(api: CloudTasksApi, content: string): Promise<string[]> {
  const reports = await applyQueues(api, LOCATION, planQueues(content, 'q.yaml'));
  return reports.map(({ text }) => text);
}

function queue(api: CloudTasksApi, id: string): Promise<Queue> {
  return api.getQueue({ name: `${LOCATION}/queues/${id}` });
}

async function only(content: string): Promise<Queue> {
  const api = await anEngine();
  const [planned] = planQueues(content, 'q.yaml').queues;
  await apply(api, content);
  return queue(api, planned?.id ?? '');
}

describe('our own form', () => {
  test('takes settings by their names in the API, plain or in its groups', async () => {
    const expected = {
      rateLimits: { maxDispatchesPerSecond: 0.5, maxBurstSize: 20, maxConcurrentDispatches: 7 },
      retryConfig: {
        maxAttempts: 5,
        maxRetryDuration: HOUR,
        minBackoff: 1.5 * SECOND,
        maxBackoff: 10 * MINUTE,
        maxDoublings: 3,
      },
    };
    const plain = `queues: { mail: { maxDispatchesPerSecond: 0.5, maxBurstSize: 20, maxConcurrentDispatches: 7,
      maxAttempts: 5, maxRetryDuration: 1h, minBackoff: 1500ms, maxBackoff: 10m, maxDoublings: 3 } }`;
    const grouped = `queues:
      mail:
        rateLimits: { maxDispatchesPerSecond: 0.5, maxBurstSize: 20, maxConcurrentDispatches: 7 }
        retryConfig: { maxAttempts: 5, maxRetryDuration: 3600s, minBackoff: 1.500s, maxBackoff: 600s, maxDoublings: 3 }
        appEngineRoutingOverride: { service: worker, version: v2 }
        stackdriverLoggingConfig: { samplingRatio: 0.5 }
        state: PAUSED`;
    expect(await only(plain)).toMatchObject({ ...expected, state: 'RUNNING' });
    expect(await only(grouped)).toMatchObject({
      ...expected,
      appEngineRoutingOverride: { service: 'worker', version: 'v2' },
      stackdriverLoggingConfig: { samplingRatio: 0.5 },
      state: 'PAUSED',
    });
  });

  test('gives a queue of which only the name is said attempts without end, and every default; shares by alias', async () => {
    const api = await anEngine();
    await apply(api, 'queues:\n  first: &calm { maxAttempts: 3 }\n  second: *calm\n  "007":\n');
    expect(await queue(api, '007')).toMatchObject({
      ...API_DEFAULTS,
      retryConfig: { ...API_DEFAULTS.retryConfig, maxAttempts: -1 },
    });
    expect((await queue(api, 'second')).retryConfig.maxAttempts).toBe(3);
  });

  test('routes HTTP tasks, and says how long tasks and names last', async () => {
    const file = `queues:
  a:
    taskTtl: 20d
    tombstoneTtl: 2h
    httpTarget:
      uriOverride:
        scheme: HTTPS
        host: api.example.com
        port: 8443
        pathOverride: { path: /tasks }
        queryOverride: { queryParams: from=queue }
        uriOverrideEnforceMode: IF_NOT_EXISTS
      httpMethod: PUT
      headerOverrides: [{ header: { key: X-From, value: "1" } }]
      oidcToken: { serviceAccountEmail: a@b.example, audience: https://api.example.com }
`;
    const api = await anEngine();
    await apply(api, file);
    expect(await queue(api, 'a')).toMatchObject({
      taskTtl: 20 * DAY,
      tombstoneTtl: 2 * HOUR,
      httpTarget: {
        uriOverride: {
          scheme: 'HTTPS',
          host: 'api.example.com',
          port: 8443,
          pathOverride: { path: '/tasks' },
          queryOverride: { queryParams: 'from=queue' },
          uriOverrideEnforceMode: 'IF_NOT_EXISTS',
        },
        httpMethod: 'PUT',
        headerOverrides: [{ header: { key: 'X-From', value: '1' } }],
        oidcToken: { serviceAccountEmail: 'a@b.example', audience: 'https://api.example.com' },
      },
    });
    expect(await apply(api, file)).toEqual([]);
    // What it says nothing of stays, and an empty target is none.
    expect(await apply(api, 'queues: { a: }')).toEqual([]);
    expect(await apply(api, 'queues: { a: { taskTtl: 10d, httpTarget: {} } }')).toEqual([
      expect.stringMatching(
        /^Queue a updated: httpTarget\.uriOverride\.scheme HTTPS -> \(none\), .*taskTtl 1728000s -> 864000s\.$/,
      ),
    ]);
    expect(await queue(api, 'a')).not.toHaveProperty('httpTarget');
  });

  test('may hold no queue at all', () => {
    expect(planQueues('queues:\n', 'q.yaml').queues).toEqual([]);
  });
});

describe("Google's queue.yaml", () => {
  test('has the defaults that gcloud sends', async () => {
    expect(await only('queue:\n- name: a\n  rate: 20/s\n')).toMatchObject({
      rateLimits: { maxDispatchesPerSecond: 20, maxBurstSize: 5, maxConcurrentDispatches: 1000 },
      taskTtl: 3650 * DAY,
      tombstoneTtl: 9 * DAY,
      retryConfig: QUEUE_YAML_DEFAULTS,
      state: 'RUNNING',
    });
  });

  test.each<[string, number]>([
    ['20/s', 20],
    ['0.5/s', 0.5],
    ['1/m', 0.016666667],
    ['90/m', 1.5],
    ['36/h', 0.01],
    ['864/d', 0.01],
    ['500/s', 500],
  ])('rate %s is %d tasks a second', async (rate, expected) => {
    const { rateLimits } = await only(`queue: [{ name: a, rate: ${rate} }]`);
    expect(rateLimits.maxDispatchesPerSecond).toBe(expected);
  });

  test.each<[string, Partial<RetryConfig>]>([
    ['task_retry_limit: 0', { maxAttempts: 1 }],
    ['task_retry_limit: 7', { maxAttempts: 8 }],
    ['task_age_limit: 2.5d', { maxRetryDuration: 2.5 * DAY }],
    ['task_age_limit: 90s', { maxRetryDuration: 90 * SECOND }],
    ['min_backoff_seconds: 10', { minBackoff: 10 * SECOND, maxBackoff: HOUR }],
    ['min_backoff_seconds: 7200', { minBackoff: 2 * HOUR, maxBackoff: 2 * HOUR }],
    ['max_backoff_seconds: 0.05', { minBackoff: 50 * MILLISECOND, maxBackoff: 50 * MILLISECOND }],
    [
      'min_backoff_seconds: 2.5, max_backoff_seconds: 3',
      { minBackoff: 2_500_000, maxBackoff: 3 * SECOND },
    ],
    ['max_doublings: 0', { maxDoublings: 16 }],
    ['max_doublings: 5', { maxDoublings: 5 }],
  ])('retry_parameters %s', async (parameters, expected) => {
    const { retryConfig } = await only(
      `queue: [{ name: a, rate: 1/s, retry_parameters: { ${parameters} } }]`,
    );
    expect(retryConfig).toEqual({ ...QUEUE_YAML_DEFAULTS, ...expected });
  });

  test.each<[string, Partial<RateLimits>]>([
    ['max_concurrent_requests: 12', { maxConcurrentDispatches: 12 }],
    ['max_concurrent_requests: 0', { maxConcurrentDispatches: 1000 }],
    ['max_concurrent_requests: 9999', { maxConcurrentDispatches: 5000 }],
    ['bucket_size: 40', { maxBurstSize: 40 }],
    ['bucket_size: 0', { maxBurstSize: 5 }],
  ])('%s', async (setting, expected) => {
    const { rateLimits } = await only(`queue: [{ name: a, rate: 1/s, ${setting} }]`);
    expect(rateLimits).toMatchObject(expected);
  });

  test('target is a service, or a version of one', async () => {
    const routed = async (target: string) =>
      (await only(`queue: [{ name: a, rate: 1/s, target: ${target} }]`)).appEngineRoutingOverride;
    expect(await routed('worker')).toMatchObject({ service: 'worker' });
    expect(await routed('v2.worker')).toMatchObject({ service: 'worker', version: 'v2' });
  });

  test('rate 0 pauses, and another rate lets the queue run again unless told not to', async () => {
    const api = await anEngine();
    const file = (rate: string, more = '') => `${more}queue: [{ name: a, rate: ${rate} }]`;
    expect(await apply(api, file('0'))).toEqual(['Queue a created, paused.']);
    expect(await apply(api, file('0'))).toEqual([]);
    expect(await apply(api, file('5/s', 'resume_paused_queues: False\n'))).toEqual([
      'Queue a updated: rateLimits.maxDispatchesPerSecond 500 -> 5.',
    ]);
    expect(await apply(api, file('5/s'))).toEqual(['Queue a updated: state PAUSED -> RUNNING.']);
    expect(await apply(api, file('0'))).toEqual([
      'Queue a updated: rateLimits.maxDispatchesPerSecond 5 -> 500, state RUNNING -> PAUSED.',
    ]);
  });

  test('says what has no meaning here', async () => {
    const file = `total_storage_limit: 120M
queue:
- name: a
  rate: 1/s
  bucket_size: 40
  acl:
  - user_email: a@example.com
`;
    expect(await apply(await anEngine(), file)).toEqual([
      'Queue a created.',
      'Not applied here: total_storage_limit (line 1).',
      'Not applied here: queue[0].acl (line 6).',
    ]);
  });
});

describe('a list of resources', () => {
  test('its schedules are those of the handlers that their URLs name', () => {
    expect(planQueues(RESOURCES, 'seed.yaml').schedules).toEqual([
      {
        name: 'daily-cleanup',
        schedule: '0 3 * * *',
        timeZone: 'America/Los_Angeles',
        task: '/tasks/cleanup',
        overlap: 'allow',
        retry: { retryCount: 3 },
        at: 'seed.yaml:43',
      },
    ]);
    const wrong = RESOURCES.replace('0 3 * * *', '0 3 * * * *');
    expect(() => planQueues(wrong, 'seed.yaml')).toThrow(
      /seed.yaml:48: resources\[3\].config.schedule: .*expected 5 fields, got 6, at character 11/,
    );
  });

  test('its queues are taken, and the rest is reported', async () => {
    const api = await anEngine();
    expect(await apply(api, RESOURCES)).toEqual([
      'Queue email-queue created.',
      'Queue webhook-queue created.',
      `Not applied here: region us-central1: the queues are in ${LOCATION}.`,
      'Not applied here: task-worker, a cloud_run (line 30).',
    ]);
    expect(await queue(api, 'email-queue')).toMatchObject({
      rateLimits: { maxDispatchesPerSecond: 50, maxConcurrentDispatches: 50 },
      retryConfig: {
        ...API_DEFAULTS.retryConfig,
        maxAttempts: 5,
        minBackoff: 10 * SECOND,
        maxBackoff: 10 * MINUTE,
      },
    });
    expect(await queue(api, 'webhook-queue')).toMatchObject({
      rateLimits: { maxDispatchesPerSecond: 100, maxConcurrentDispatches: 100 },
      retryConfig: { maxAttempts: 10, minBackoff: 5 * SECOND, maxBackoff: 5 * MINUTE },
    });
  });
});

describe('applying', () => {
  const FORMS = {
    'our own form':
      'queues: { a: { maxAttempts: 3, appEngineRoutingOverride: { service: s }, state: PAUSED }, b: }',
    'queue.yaml':
      'queue: [{ name: a, rate: 1/m, target: v.s, retry_parameters: { min_backoff_seconds: 0.1 } }, { name: b, rate: 0 }]',
    resources: RESOURCES,
  };

  test.each(Object.entries(FORMS))('%s twice changes nothing', async (_, file) => {
    const api = await anEngine();
    await apply(api, file);
    const before = await api.listQueues({ parent: LOCATION });
    const again = await apply(api, file);
    expect(again.filter((text) => !text.startsWith('Not applied here'))).toEqual([]);
    expect(await api.listQueues({ parent: LOCATION })).toEqual(before);
  });

  test('puts back what was changed by hand, and says so', async () => {
    const api = await anEngine();
    const file = 'queues: { a: { maxAttempts: 3, minBackoff: 10s } }';
    await apply(api, file);
    const name = `${LOCATION}/queues/a`;
    await api.updateQueue({
      queue: {
        name,
        retryConfig: { maxAttempts: 9 },
        stackdriverLoggingConfig: { samplingRatio: 1 },
      },
    });
    expect(await apply(api, file)).toEqual([
      'Queue a updated: retryConfig.maxAttempts 9 -> 3, retryConfig.minBackoff 0.1s -> 10s, ' +
        'stackdriverLoggingConfig.samplingRatio 1 -> (none).',
    ]);
    expect(await apply(api, file)).toEqual([]);
  });

  test('leaves a pause and queues that it does not name, and says that one is paused', async () => {
    const api = await anEngine();
    await apply(api, 'queues: { a: , other: { maxAttempts: 2 } }');
    await api.pauseQueue({ name: `${LOCATION}/queues/a` });
    expect(await apply(api, 'queues: { a: }')).toEqual([
      "Queue a is PAUSED, which the file doesn't say: left as it is.",
    ]);
    expect((await queue(api, 'other')).retryConfig.maxAttempts).toBe(2);
  });

  test('goes on past a queue whose name is not free yet', async () => {
    const api = await anEngine();
    await apply(api, 'queues: { a: }');
    await api.deleteQueue({ name: `${LOCATION}/queues/a` });
    expect(await apply(api, 'queues: { a: , b: }')).toEqual([
      "Queue a can't be created: The queue cannot be created because a queue with this name existed too recently.",
      'Queue b created.',
    ]);
  });
});

describe('what is wrong is named with its line, its field, what was expected and what came', () => {
  test.each<[string, unknown]>([
    ['', 'q.yaml:1: expected queues:, queue: or resources:, got nothing'],
    ['[]', 'q.yaml:1: expected a map, got a list'],
    ['queus: {}', 'q.yaml:1: queus: not a field here, did you mean queues?'],
    [
      'queues: {}\nqueue: []',
      'q.yaml:1: expected one of queues:, queue: and resources:, got several',
    ],
    [
      'queues:\n  a: {\n',
      'q.yaml:3: not valid YAML: Flow map in block collection must be sufficiently indented and end with a }',
    ],
    ['queues:\n  a: {}\n  a: {}\n', 'q.yaml:3: not valid YAML: Map keys must be unique'],
    ['queues:\n  a: !secret x\n', 'q.yaml:2: not valid YAML: Unresolved tag: !secret'],
    ['queues:\n  a: *b\n', 'q.yaml:2: queues.a: expected a map, got an alias of nothing'],
    [
      'queues:\n  a_b:\n',
      'q.yaml:2: queues.a_b: expected a queue id of 1 to 100 letters, digits and hyphens as its name',
    ],
    [
      'queues:\n  a:\n    maxAtempts: 3\n',
      'q.yaml:3: queues.a.maxAtempts: not a field here, did you mean maxAttempts?',
    ],
    [
      'queues:\n  a:\n    max_attempts: 3\n',
      'q.yaml:3: queues.a.max_attempts: not a field here, did you mean maxAttempts?',
    ],
    [
      'queues:\n  a:\n\n    maxAttempts: five\n',
      "q.yaml:4: queues.a.maxAttempts: expected a whole number of at least 1, or -1 for no limit, got 'five'",
    ],
    [
      'queues: { a: { maxAttempts: 0 } }',
      'q.yaml:1: queues.a.maxAttempts: expected a whole number of at least 1, or -1 for no limit, got 0',
    ],
    [
      'queues: { a: { maxAttempts: 1.5 } }',
      'q.yaml:1: queues.a.maxAttempts: expected a whole number of at least 1, or -1 for no limit, got 1.5',
    ],
    [
      'queues: { a: { maxAttempts: } }',
      'q.yaml:1: queues.a.maxAttempts: expected a whole number of at least 1, or -1 for no limit, got nothing',
    ],
    [
      'queues: { a: { maxAttempts: 3, retryConfig: { maxAttempts: 3 } } }',
      'q.yaml:1: queues.a.retryConfig.maxAttempts: maxAttempts is there twice, first in line 1',
    ],
    [
      'queues: { a: { minBackoff: 10 } }',
      "q.yaml:1: queues.a.minBackoff: expected a duration above zero, such as '500ms' or '10s', got 10",
    ],
    [
      'queues: { a: { maxBackoff: [1s] } }',
      "q.yaml:1: queues.a.maxBackoff: expected a duration above zero, such as '500ms' or '10s', got a list",
    ],
    [
      'queues: { a: { maxDispatchesPerSecond: 501 } }',
      "q.yaml:1: queues.a.maxDispatchesPerSecond: expected a number above 0, at most 500 (a queue is stopped by 'state: PAUSED'), got 501",
    ],
    [
      'queues: { a: { maxRetryDuration: 1500ms } }',
      "q.yaml:1: queues.a.maxRetryDuration: expected whole seconds such as '1h', or '0s' for no limit, got '1500ms'",
    ],
    [
      'queues: { a: { state: DISABLED } }',
      "q.yaml:1: queues.a.state: expected 'RUNNING' or 'PAUSED', got 'DISABLED'",
    ],
    [
      'queues:\n  a:\n    minBackoff: 1h\n    maxBackoff: 1m',
      'q.yaml:2: queues.a: RetryConfig.minBackoff must be less than or equal to RetryConfig.maxBackoff.',
    ],
    [
      'queues: { a: { taskTtl: 9d } }',
      "q.yaml:1: queues.a.taskTtl: expected from '10d' to '3650d', got '9d'",
    ],
    [
      'queues: { a: { tombstoneTtl: 30m } }',
      "q.yaml:1: queues.a.tombstoneTtl: expected from '1h' to '9d', got '30m'",
    ],
    [
      'queues:\n  a:\n    httpTarget:\n      uriOverride: { hosst: x }',
      'q.yaml:4: queues.a.httpTarget.uriOverride.hosst: not a field here, did you mean host?',
    ],
    [
      'queues: { a: { httpTarget: { oidcToken: { audience: x } } } }',
      'q.yaml:1: queues.a.httpTarget.oidcToken: expected serviceAccountEmail:, got a map',
    ],
    [
      'queues:\n  a: { httpTarget: { uriOverride: { host: a/b } } }',
      expect.stringMatching(/^q\.yaml:2: queues\.a: .*host/),
    ],
    ['queue:\n- rate: 1/s', 'q.yaml:2: queue[0]: expected a queue with a name, got a map'],
    [
      'queue:\n- name: a',
      "q.yaml:2: queue[0]: expected a queue with a rate such as '5/s', got a map",
    ],
    [
      'queue:\n- name: a\n  rate: 5',
      "q.yaml:3: queue[0].rate: expected a rate such as '5/s', '30/m', '100/h' or '1/d', at most 500/s, or 0, got 5",
    ],
    [
      'queue:\n- name: a\n  rate: 501/s',
      "q.yaml:3: queue[0].rate: expected a rate such as '5/s', '30/m', '100/h' or '1/d', at most 500/s, or 0, got '501/s'",
    ],
    [
      'queue:\n- name: a\n  rate: 1/s\n- name: a\n  rate: 1/s',
      'q.yaml:4: queue[1]: queue a is there twice, first in line 2',
    ],
    [
      'queue:\n- name: a\n  mode: pull',
      'q.yaml:3: queue[0].mode: expected push: pull queues are not served',
    ],
    [
      'queue:\n- name: a\n  rate: 1/s\n  bucket_sise: 3',
      'q.yaml:4: queue[0].bucket_sise: not a field here, did you mean bucket_size?',
    ],
    [
      'queue:\n- name: a\n  rate: 1/s\n  retry_parameters:\n    task_age_limit: 10',
      "q.yaml:5: queue[0].retry_parameters.task_age_limit: expected an age above zero such as '30s', '10m', '1h' or '2.5d', got 10",
    ],
    [
      'queue:\n- name: a\n  rate: 1/s\n  retry_parameters:\n    min_backoff_seconds: 9\n    max_backoff_seconds: 3',
      'q.yaml:2: queue[0]: RetryConfig.minBackoff must be less than or equal to RetryConfig.maxBackoff.',
    ],
    [
      'resources:\n- type: cloud_task_queue',
      'q.yaml:2: resources[0].type: not a type of resource, did you mean cloud_tasks_queue?',
    ],
    [
      'resources:\n- type: cloud_tasks_queue',
      'q.yaml:2: resources[0]: expected a queue with a name, got a map',
    ],
    [
      'resources:\n- type: cloud_tasks_queue\n  name: a\n  config:\n    max_atempts: 3',
      'q.yaml:5: resources[0].config.max_atempts: not a field here, did you mean max_attempts?',
    ],
    [
      'resources:\n- type: cloud_tasks_queue\n  name: a\n  provider: aws',
      "q.yaml:4: resources[0].provider: expected 'gcp', got 'aws'",
    ],
    [
      'resources:\n- type: cloud_run\n  name: a\n  config:\n    min_instance: 3',
      'q.yaml:5: resources[0].config.min_instance: not a field here, did you mean min_instances?',
    ],
    [
      'resources:\n- type: cloud_run\n  name: a\n  config:\n    timeout: 10m',
      "q.yaml:5: resources[0].config.timeout: expected whole seconds from 1 to 3600, without a unit, got '10m'",
    ],
    [
      'queues:\nservices:\n  worker:\n    memory: 1GB',
      "q.yaml:4: services.worker.memory: expected a size such as '512Mi' or '1Gi', got '1GB'",
    ],
    [
      'queues:\nservices:\n  worker:\n    timeout: 600',
      "q.yaml:4: services.worker.timeout: expected whole seconds up to '1h', got 600",
    ],
    [
      'queues:\nservices:\n  worker:\n    minInstances: 3\n    maxInstances: 2',
      'q.yaml:4: services.worker.minInstances: expected at most maxInstances, which is 2, got 3',
    ],
    [
      'queues:\nservices:\n  workers: {}',
      'q.yaml:3: services.workers: not a field here, did you mean worker?',
    ],
  ])('%j', (content, message) => {
    let came: unknown;
    try {
      planQueues(content, 'q.yaml');
    } catch (error) {
      came = error;
    }
    expect(came).toMatchObject({ code: 'INVALID_ARGUMENT', message });
  });

  test('a file that is not there', () => {
    const folder = mkdtempSync(join(tmpdir(), 'queues-'));
    const path = join(folder, 'q.yaml');
    expect(() => readQueuesFile(path)).toThrow(`${path}: there is no such file`);
    writeFileSync(path, 'queues: { a: }');
    expect(readQueuesFile(path).queues.map(({ id }) => id)).toEqual(['a']);
    expect(() => readQueuesFile(folder)).toThrow(`${folder}: it can't be read (EISDIR)`);
    rmSync(folder, { recursive: true });
  });
});

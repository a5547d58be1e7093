/** The files that the app is deployed with: settings that it takes, sizes and queues as they are written down once. */
import { afterAll, describe, expect, test } from '@jest/globals';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { minVersion, subset } from 'semver';
import { parse, parseAllDocuments } from 'yaml';
import { readSettings } from '../../src/config.js';
import { isDeadLetterQueue } from '../../src/foundation/dead-letter-queue.js';
import { wantedQueuesOf } from '../../src/host/wanted-queues.js';
import type { Variables } from '../../src/settings/names.js';
import { SETTING_NAMES } from '../../src/settings/names.js';

interface Size {
  readonly cpu: number;
  readonly memory: string;
  readonly minInstances: number;
  readonly maxInstances: number;
  readonly concurrency: number;
  readonly timeout: string;
}

interface CloudRunService {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
      readonly spec: {
        readonly containerConcurrency: number;
        readonly timeoutSeconds: number;
        readonly containers: readonly [
          {
            readonly env: readonly { readonly name: string; readonly value?: string }[];
            readonly resources: {
              readonly limits: { readonly cpu: string; readonly memory: string };
            };
          },
        ];
      };
    };
  };
}

const text = (file: string) => readFileSync(file, 'utf8');
const { services: sizes } = parse(text('tasks.config.yaml')) as {
  services: Readonly<Record<string, Size>>;
};
const cloudRun = new Map(
  parseAllDocuments(text('deploy/cloudrun.service.yaml')).map((document) => {
    const service = document.toJS() as CloudRunService;
    return [service.metadata.name.replace('tasks-', ''), service];
  }),
);
const variablesOf = (file: string) =>
  (parse(text(file)) as { env_variables: Variables }).env_variables;

const folder = mkdtempSync(join(tmpdir(), 'deploy-files-'));
const keys = join(folder, 'keys.json');
writeFileSync(keys, '{}');
afterAll(() => rmSync(folder, { recursive: true }));

/** As the platform and the scripts fill it in. */
function filledIn(variables: Variables, platform: Variables): Variables {
  const entries = Object.entries(variables).map(([name, value = '']) => [
    name,
    value
      .replaceAll(/YOUR_PROJECT|\$\{PROJECT_ID\}/g, 'my-project')
      .replaceAll('${PROJECT_NUMBER}', '123456789012')
      .replaceAll('${REGION}', 'us-central1'),
  ]);
  const filled = Object.fromEntries(entries) as Record<string, string>;
  if (filled['PRODUCER_AUTH']) filled['PRODUCER_KEYS_FILE'] = keys;
  return { ...filled, ...platform };
}

const APP_ENGINE = { GAE_ENV: 'standard', GOOGLE_CLOUD_PROJECT: 'my-project' };
const CLOUD_RUN = { K_SERVICE: 'tasks' };

describe('Cloud Run', () => {
  test.each(['api', 'worker'])('%s has the size that is written down', (name) => {
    const { metadata, spec } = serviceOf(name).spec.template;
    const [{ resources }] = spec.containers;
    expect({
      cpu: Number(resources.limits.cpu),
      memory: resources.limits.memory,
      minInstances: Number(metadata.annotations['autoscaling.knative.dev/minScale']),
      maxInstances: Number(metadata.annotations['autoscaling.knative.dev/maxScale']),
      concurrency: spec.containerConcurrency,
      timeout: spec.timeoutSeconds,
    }).toEqual({ ...sizes[name], timeout: seconds(sizes[name]?.timeout ?? '') });
  });

  /** The settings of each service in Terraform, by the names in its maps. */
  const terraform = text('deploy/terraform/services.tf');
  const block = (name: string) =>
    terraform.split(new RegExp(`^ {2,4}${name} += `, 'm'))[1]?.split(/^ {2,4}[}\])]/m)[0] ?? '';
  const names = (part: string) =>
    [...part.matchAll(/^ +([A-Z][A-Z_]+) +?=/gm)].map(([, name = '']) => name);
  const readers = Object.fromEntries(
    [...text('deploy/terraform/secrets.tf').matchAll(/^ +([A-Z_]+) += \[(.*)\]$/gm)].map(
      ([, name = '', services = '']) => [name, services],
    ),
  );
  const byDefault = /default += \["(WEBHOOK_SECRET)", "(CALLBACK_SECRET)"\]/
    .exec(text('deploy/terraform/variables.tf'))
    ?.slice(1);

  test.each(['api', 'worker'])(
    '%s has the same settings by Terraform and by the script',
    (name) => {
      expect(byDefault).toHaveLength(2);
      const secrets = (byDefault ?? []).filter((secret) => readers[secret]?.includes(`"${name}"`));
      const optional = ['EXTERNAL_ORIGINS'];
      const ofTerraform = [...names(block('common_settings')), ...names(block(name)), ...secrets];
      expect(ofTerraform.filter((setting) => !optional.includes(setting)).sort()).toEqual(
        Object.keys(envOf(name)).sort(),
      );
      // Whatever is set there, the app knows.
      for (const setting of [...ofTerraform, ...Object.keys(readers)]) {
        // The file of keys is mounted, and has a setting of its own.
        if (setting !== 'PRODUCER_KEYS') expect(SETTING_NAMES).toContain(setting);
      }
    },
  );

  test('the API takes keys, the worker tokens of tasks alone', () => {
    expect(readSettings(filledIn(envOf('api'), CLOUD_RUN))).toMatchObject({
      role: 'api',
      producer: { kind: 'api-key' },
      auth: { mode: 'oidc' },
    });
    expect(readSettings(filledIn(envOf('worker'), CLOUD_RUN))).toMatchObject({
      role: 'worker',
      producer: { kind: 'nobody' },
      serviceUrl: 'https://tasks-worker-123456789012.us-central1.run.app',
      serviceAccount: 'tasks-tasks@my-project.iam.gserviceaccount.com',
      auth: { mode: 'cloud-run-iam' },
    });
  });
});

describe('App Engine', () => {
  test('app.yaml asks callers for keys, and handlers believe App Engine', () => {
    expect(readSettings(filledIn(variablesOf('app.yaml'), APP_ENGINE))).toMatchObject({
      role: 'all',
      producer: { kind: 'api-key' },
      auth: { mode: 'appengine' },
      relay: { queues: ['relay'] },
    });
  });

  test('relay.app.yaml serves the relay alone, and enqueues for nobody', () => {
    expect(readSettings(filledIn(variablesOf('relay.app.yaml'), APP_ENGINE))).toMatchObject({
      role: 'relay',
      producer: { kind: 'nobody' },
      auth: { mode: 'appengine', queues: ['relay', 'relay-callbacks'] },
    });
  });

  test('handlers take tasks of the queues that are written down', async () => {
    const { queues } = await wantedQueuesOf('tasks.config.yaml');
    const ids = queues.map(({ id }) => id).filter((id) => !isDeadLetterQueue(id));
    expect(variablesOf('app.yaml')['ALLOWED_QUEUES']?.split(',')).toEqual(ids);
    const { settings } = queues.find(({ id }) => id === 'relay') ?? {};
    expect(settings?.appEngineRoutingOverride).toEqual({ service: 'relay' });
    // More at once than the instances hold would only be turned away.
    const relay = parse(text('relay.app.yaml')) as {
      basic_scaling: { max_instances: number };
      env_variables: { RELAY_MAX_INFLIGHT: string };
    };
    expect(settings?.rateLimits?.maxConcurrentDispatches).toBeLessThanOrEqual(
      relay.basic_scaling.max_instances * Number(relay.env_variables.RELAY_MAX_INFLIGHT),
    );
  });

  // Where deploy.sh adds secrets.
  test.each(['app.yaml', 'relay.app.yaml'])('%s ends with its settings', (file) => {
    expect(Object.keys(parse(text(file)) as object).at(-1)).toBe('env_variables');
  });

  test.each(['app.yaml', 'relay.app.yaml'])(
    '%s starts what was built, on a Node that we run on',
    (file) => {
      const { runtime, entrypoint } = parse(text(file)) as { runtime: string; entrypoint: string };
      expect(entrypoint).toMatch(/^node (--max-semi-space-size=16 )?dist\/main\.js$/);
      const { engines } = JSON.parse(text('package.json')) as { engines: { node: string } };
      // A range, of which App Engine's own version is one.
      expect(subset(`${runtime.replace('nodejs', '')}.x`, engines.node)).toBe(true);
      expect(minVersion(engines.node)?.major).toBe(22);
    },
  );
});

test('no file that is deployed holds a secret', () => {
  const files = ['app.yaml', 'relay.app.yaml', ...globSync('deploy/**/*.{yaml,tf,sh,mjs}')];
  for (const file of files) {
    expect(text(file)).not.toMatch(/whsec_[A-Za-z0-9+/]{8}|nct_\w{8}|BEGIN [A-Z ]*PRIVATE KEY/);
  }
});

function serviceOf(name: string): CloudRunService {
  const service = cloudRun.get(name);
  if (!service) throw new Error(`deploy/cloudrun.service.yaml has no tasks-${name}`);
  return service;
}

/** Of secrets no value is written, so they are left out of what is tried. */
function envOf(name: string): Variables {
  const [{ env }] = serviceOf(name).spec.template.spec.containers;
  return Object.fromEntries(env.map((entry) => [entry.name, entry.value]));
}

function seconds(duration: string): number {
  const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };
  return parseInt(duration, 10) * (units[duration.slice(-1)] ?? NaN);
}

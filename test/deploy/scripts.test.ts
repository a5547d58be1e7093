/** deploy/*.sh: from nothing to a deployed app and back, again and again, and from wherever they were stopped. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { existsSync, globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Platform, Ran } from '../support/deploy-scripts.js';
import { DeployScripts } from '../support/deploy-scripts.js';

// Hundreds of processes, maybe on a busy machine.
jest.setTimeout(process.env['EVERY_STEP'] ? 1_800_000 : 180_000);

const PROJECT = ['--project', 'my-project'];
const PLATFORMS: readonly Platform[] = ['app-engine', 'cloud-run'];

/** So that there are not too many steps. */
const ONE_QUEUE = 'queues:\n  default: { maxDispatchesPerSecond: 5 }\n';

let google: DeployScripts;
beforeEach(() => {
  google = new DeployScripts(ONE_QUEUE);
});
afterEach(() => google.close());

function ok(ran: Ran): Ran {
  if (ran.code !== 0) throw new Error(`exit code ${ran.code}: ${ran.stderr}`);
  return ran;
}

/** What creates something that wasn't there. */
const creates = (ran: Ran) => ran.shown.filter((line) => / (?:create|add) /.test(line));

describe.each(PLATFORMS)('%s', (platform) => {
  test('from nothing to a deployed app and back, each step twice', async () => {
    google.close();
    google = new DeployScripts();
    const first = ok(await google.run('setup-env', [platform, ...PROJECT], { FAKE_SLOW_IAM: '1' }));
    const made = google.made();
    expect(creates(first)).not.toEqual([]);
    const again = ok(await google.run('setup-env', [platform, ...PROJECT]));
    expect(creates(again)).toEqual([]);
    expect(google.made()).toEqual(made);
    for (const id of ['default', 'email-queue', 'webhook-queue', 'relay']) {
      expect(made).toHaveProperty([`queues/${id}`], expect.stringContaining('--max-attempts=-1'));
      expect(made).toHaveProperty([`queues/${id}-dead-letter.paused`]);
      expect(made).not.toHaveProperty([`queues/${id}.paused`]);
    }

    for (let round = 1; round <= 2; round++) {
      const { stdout } = ok(await google.run('deploy', [platform, ...PROJECT]));
      const [, url] = /^Service: (\S+)$/m.exec(stdout) ?? [];
      expect(url).toBe(
        platform === 'app-engine'
          ? 'https://my-project.uc.r.appspot.com'
          : 'https://tasks-api-123456789012.us-central1.run.app',
      );
      expect(stdout).toMatch(/^Queue: +https:.*us-central1\/default/m);
      expect(stdout).toMatch(/^Logs: +https:/m);
    }

    ok(await google.run('teardown', [platform, ...PROJECT, '--yes']));
    const left = Object.keys(google.made()).filter((path) => !/^(?:apis|deployed)\//.test(path));
    expect(left).toEqual(
      platform === 'app-engine'
        ? ['app', 'project.policy', 'services/default']
        : ['image', 'project.policy'],
    );
    expect(google.made()).toHaveProperty(['project.policy'], '');
    ok(await google.run('teardown', [platform, ...PROJECT, '--yes']));
    ok(await google.run('setup-env', [platform, ...PROJECT]));
    expect(google.made()).toMatchObject(made);
  });

  test('a dry run calls nobody, and prints what a first run does', async () => {
    const dry: Record<string, readonly string[]> = {};
    for (const script of ['setup-env', 'deploy', 'teardown'] as const) {
      const ran = ok(await google.run(script, [platform, ...PROJECT, '--dry-run']));
      dry[script] = ran.shown.map(plain);
    }
    expect(google.calls).toBe(0);
    expect(globSync('*.deploy.yaml', { cwd: google.root })).toEqual([]);
    for (const script of ['setup-env', 'deploy', 'teardown'] as const) {
      const args = script === 'teardown' ? ['--yes'] : [];
      const { shown } = ok(await google.run(script, [platform, ...PROJECT, ...args]));
      // What nobody has made needn't be deleted.
      const printed = dry[script]?.filter(
        (line) => script !== 'teardown' || shown.map(plain).includes(line),
      );
      expect(shown.map(plain)).toEqual(printed);
    }
  });

  test('shows no secret, and leaves none behind', async () => {
    const { stdout, stderr } = ok(await google.run('setup-env', [platform, ...PROJECT]));
    const deployed = ok(await google.run('deploy', [platform, ...PROJECT]));
    const printed = [stdout, stderr, deployed.stdout, deployed.stderr].join('');
    for (const secret of ['tasks-webhook-secret', 'tasks-callback-secret']) {
      expect(google.value(secret)).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
      expect(printed).not.toContain(google.value(secret));
    }
    // The key itself, once; what is kept is its hash.
    const [key = 'none'] = /nct_\w+/.exec(printed) ?? [];
    expect(google.value('tasks-producer-keys')).toContain('"setup"');
    expect(google.value('tasks-producer-keys')).not.toContain(key.split('_').at(-1));
    expect(existsSync(join(google.root, 'producer-keys.json'))).toBe(false);
    expect(globSync('*.deploy.yaml', { cwd: google.root })).toEqual([]);
  });
});

describe('what is deployed', () => {
  test('to App Engine has the project, its address and its secrets', async () => {
    ok(await google.run('setup-env', ['app-engine', ...PROJECT]));
    ok(await google.run('deploy', ['app-engine', ...PROJECT]));
    const made = google.made();
    const app = made['deployed/app.deploy.yaml'] ?? '';
    expect(app).not.toMatch(/YOUR_PROJECT|REGION_ID/);
    expect(parse(app)).toMatchObject({
      service_account: 'tasks-app@my-project.iam.gserviceaccount.com',
      env_variables: {
        SERVICE_URL: 'https://my-project.uc.r.appspot.com',
        WEBHOOK_SECRET: google.value('tasks-webhook-secret'),
        CALLBACK_SECRET: google.value('tasks-callback-secret'),
      },
    });
    const relay = parse(made['deployed/relay.app.deploy.yaml'] ?? '') as object;
    expect(relay).toMatchObject({ service: 'relay', env_variables: { ROLE: 'relay' } });
    expect(relay).not.toHaveProperty(['env_variables', 'WEBHOOK_SECRET']);
  });

  test('to Cloud Run are two services of one image, of which only the API is open', async () => {
    ok(await google.run('setup-env', ['cloud-run', ...PROJECT]));
    ok(await google.run('deploy', ['cloud-run', ...PROJECT]));
    const made = google.made();
    for (const role of ['api', 'worker']) {
      const text = made[`deployed/tasks-${role}.yaml`] ?? '';
      expect(text).not.toContain('${');
      expect(parse(text)).toMatchObject({ kind: 'Service', metadata: { name: `tasks-${role}` } });
      expect(text).toContain('us-central1-docker.pkg.dev/my-project/tasks/app:v1');
    }
    expect(made['run/tasks-api.policy']).toBe('roles/run.invoker allUsers\n');
    expect(made['run/tasks-worker.policy']).toBe(
      'roles/run.invoker serviceAccount:tasks-tasks@my-project.iam.gserviceaccount.com\n',
    );
  });

  test.each(PLATFORMS)(
    'to %s has the optional secrets that somebody has made',
    async (platform) => {
      ok(await google.run('setup-env', [platform, ...PROJECT]));
      for (const secret of ['tasks-store-url', 'tasks-smtp-url']) {
        ok(await google.gcloud('secrets', 'create', secret, '--replication-policy=automatic'));
        ok(await google.gcloud('secrets', 'versions', 'add', secret, '--data-file=-'));
      }
      ok(await google.run('setup-env', [platform, ...PROJECT]));
      ok(await google.run('deploy', [platform, ...PROJECT]));
      const made = google.made();
      const deployed = (file: string) => JSON.stringify(parse(made[`deployed/${file}`] ?? ''));
      const [both, other] =
        platform === 'app-engine'
          ? ['app.deploy.yaml', 'relay.app.deploy.yaml']
          : ['tasks-worker.yaml', 'tasks-api.yaml'];
      expect(deployed(both)).toMatch(/STORE_URL.*SMTP_URL|SMTP_URL.*STORE_URL/);
      expect(deployed(other)).toContain('STORE_URL');
      expect(deployed(other)).not.toContain('SMTP_URL');
      if (platform === 'cloud-run') {
        expect(made['secrets/tasks-smtp-url.policy']).not.toContain('tasks-api@');
        expect(made['secrets/tasks-store-url.policy']).toContain('tasks-api@');
      }
    },
  );

  test('nobody gets a role of the project but who builds', async () => {
    for (const platform of PLATFORMS) {
      ok(await google.run('setup-env', [platform, ...PROJECT]));
    }
    const bindings = (google.made()['project.policy'] ?? '').trim().split('\n');
    for (const binding of bindings) expect(binding).toMatch(/serviceAccount:tasks-(?:app|build)@/);
    expect(bindings.join()).not.toMatch(/editor|owner|admin/i);
  });
});

describe('a failure in the middle', () => {
  const steps = ['setup-env', 'deploy', 'teardown'] as const;
  const cases = PLATFORMS.flatMap((platform) => steps.map((step) => [platform, step] as const));

  test.each(cases)('of %s, %s, is mended by running the same again', async (platform, step) => {
    const args = (of: string) => [platform, ...PROJECT, ...(of === 'teardown' ? ['--yes'] : [])];
    for (const earlier of steps.slice(0, steps.indexOf(step))) {
      ok(await google.run(earlier, args(earlier)));
    }
    const whole = new DeployScripts(ONE_QUEUE, google);
    ok(await whole.run(step, args(step)));
    const calls = whole.calls - google.calls;
    const wanted = whole.made();
    whole.close();
    // Each of them where there is time, else the first, the last and some between.
    const stride = process.env['EVERY_STEP'] ? 1 : Math.max(1, Math.ceil(calls / 4));
    for (let at = calls; at >= 1; at -= stride) {
      const broken = new DeployScripts(ONE_QUEUE, google);
      const failed = await broken.run(step, args(step), {
        FAKE_FAIL_AT: String(google.calls + at),
      });
      expect({ at, succeeded: failed.code === 0, stderr: failed.stderr }).toEqual({
        at,
        succeeded: false,
        stderr: expect.stringContaining('an error that the test has ordered'),
      });
      expect(globSync('*.deploy.yaml', { cwd: broken.root })).toEqual([]);
      ok(await broken.run(step, args(step)));
      expect(broken.made()).toEqual(wanted);
      broken.close();
    }
  });
});

describe('what is wrong is said before anything is done', () => {
  test.each<[string, readonly string[], RegExp]>([
    [
      'no project',
      ['cloud-run'],
      /no project is set: pass --project ID, or run: gcloud config set/,
    ],
    ['no platform', PROJECT, /expected app-engine or cloud-run/],
    ['two', ['app-engine', 'cloud-run', ...PROJECT], /expected one of app-engine and cloud-run/],
    [
      'a project that is none',
      ['cloud-run', '--project', 'My Project'],
      /--project: expected a pr/,
    ],
    ['a zone', ['cloud-run', ...PROJECT, '--region=us-central1-a'], /--region: expected a region/],
    ['a flag without a value', ['cloud-run', '--project'], /--project: expected a value/],
    ['a misspelt flag', ['cloud-run', '--dryrun'], /--dryrun: expected app-engine, cloud-run or a/],
    ['consent where none is asked', ['cloud-run', ...PROJECT, '--yes'], /--yes: not a flag here/],
  ])('%s', async (_, args, message) => {
    const ran = await google.run('setup-env', args);
    expect(ran).toMatchObject({ code: 1, shown: [], stderr: expect.stringMatching(message) });
  });

  test('nothing is deleted without a yes', async () => {
    ok(await google.run('setup-env', ['cloud-run', ...PROJECT]));
    const made = google.made();
    const ran = await google.run('teardown', ['cloud-run', ...PROJECT]);
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringMatching(/pass --yes/) });
    expect(google.made()).toEqual(made);
  });

  test('a file of queues with a mistake', async () => {
    writeFileSync(join(google.root, 'tasks.config.yaml'), 'queues: { a: { minBackoff: 10 } }');
    const ran = await google.run('setup-env', ['cloud-run', ...PROJECT]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/tasks\.config\.yaml:1: queues\.a\.minBackoff: expected a duration/);
    expect(ran.shown).toEqual([]);
  });

  test('gcloud that may not look is no proof that nothing is there', async () => {
    ok(await google.run('setup-env', ['cloud-run', ...PROJECT]));
    const ran = await google.run('setup-env', ['cloud-run', ...PROJECT], {
      FAKE_FAIL_AT: String(google.calls + 2),
    });
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringMatching(/that failed/) });
    expect(creates(ran)).toEqual([]);
  });
});

/** Without what differs from run to run. */
function plain(line: string): string {
  return line
    .replaceAll(/\S*\/tmp\S*\//g, '')
    .replaceAll('PROJECT_NUMBER', '123456789012')
    .replaceAll('REGION_ID', 'uc');
}

/** Looks at the settings, and at what they mean beside each other: the guard, audiences, accounts, callers. */
import { outboundOptions } from '../../app/outbound-options.js';
import type { Settings } from '../../config.js';
import type { OutboundRule } from '../../outbound/outbound-rule.js';
import { readOutboundFile } from '../../outbound/outbound-file.js';
import type { Platform } from '../../foundation/platform.js';
import { platformOf } from '../../foundation/platform.js';
import type { Examined, Section } from './examined.js';
import { onGoogle } from './examined.js';
import type { Finding } from './finding.js';
import { fail, ok, reasonOf, warn } from './finding.js';

export const identityOfTasks: Section = {
  title: 'Who may call a handler',
  needs: ['AUTH_MODE', 'TASKS_BACKEND', 'SERVICE_URL', 'SERVICE_ACCOUNT', 'OIDC_AUDIENCE'],
  applies: () => true,
  async *findings(examined) {
    yield guardMode(examined);
    if (examined.settings.backend.kind === 'embedded') return;
    yield handlersAudience(examined.settings);
    yield* accounts(examined.settings);
    yield* queues(examined.settings);
  },
};

export const identityOfCallers: Section = {
  title: 'Who may enqueue, and what leaves',
  needs: [
    ...(['PRODUCER_AUTH', 'PRODUCER_AUDIENCE', 'PRODUCER_ACCOUNTS'] as const),
    ...(['PRODUCER_ACCOUNTS_FILE', 'PRODUCER_KEYS_FILE', 'HOST'] as const),
    ...(['EXTERNAL_ORIGINS', 'OUTBOUND_FILE'] as const),
  ],
  applies: () => true,
  async *findings({ settings }) {
    yield await producers(settings);
    yield* external(settings);
  },
};

const PLATFORM: Readonly<Record<Platform, string>> = {
  'app-engine-standard': 'App Engine standard',
  'app-engine-flexible': 'App Engine flexible',
  'cloud-run': 'Cloud Run',
};

function guardMode({ settings, variables, url }: Examined): Finding {
  const { mode } = settings.auth;
  const platform = platformOf(variables);
  const about = 'AUTH_MODE';
  const place = platform ? PLATFORM[platform] : 'this machine';
  if (mode === 'local' && platform) {
    return warn(
      about,
      `local on ${place}: the engine runs in each instance by itself, and its tasks go with it`,
      'Set TASKS_BACKEND=google',
    );
  }
  if (mode === 'local') {
    return ok(
      about,
      "local: handlers take what the embedded engine's own token or signature proves",
    );
  }
  if (mode === 'appengine') {
    return ok(about, `appengine on ${place}: its front end keeps forged headers out`);
  }
  if (mode === 'cloud-run-iam') {
    const text = 'cloud-run-iam on Cloud Run: sound while the service requires authentication';
    return url === undefined
      ? warn(about, text, 'Let it be asked: nest-cloud-tasks doctor --url <address of the service>')
      : ok(about, text);
  }
  if (platform === 'app-engine-standard') {
    return warn(
      about,
      'oidc on App Engine standard: tasks of /add_task_app_engine carry no token, so handlers refuse them',
      'Unset AUTH_MODE, or enqueue tasks of http targets alone',
    );
  }
  if (platform === undefined && onGoogle({ settings })) {
    return ok(
      about,
      'oidc: handlers take ID tokens alone, which is a check anywhere (K_SERVICE or GAE_ENV beside these settings let them be judged as there)',
    );
  }
  return ok(about, `oidc on ${place}: handlers take ID tokens alone, whose signature is checked`);
}

function handlersAudience({ serviceUrl = '', auth, producer }: Settings): Finding {
  const audience = auth.audience ?? serviceUrl;
  const about = 'audience';
  const callers = 'audience' in producer ? producer.audience : undefined;
  const apart = callers === undefined ? '' : `; that of callers is another, ${callers}`;
  if (audience === serviceUrl) {
    return ok(about, `handlers' tokens are for SERVICE_URL, ${audience}${apart}`);
  }
  if (auth.mode === 'cloud-run-iam') {
    return warn(
      about,
      `handlers' tokens are for ${audience}, not for SERVICE_URL: Cloud Run refuses them unless that is a custom audience of the service`,
      `gcloud run services update SERVICE --add-custom-audiences=${audience}`,
    );
  }
  return ok(
    about,
    `handlers' tokens are for OIDC_AUDIENCE, ${audience}, which every process that enqueues must have too${apart}`,
  );
}

function* accounts({ serviceAccount, auth }: Settings): Iterable<Finding> {
  const about = 'OIDC_ACCOUNTS';
  if (auth.mode === 'appengine') return;
  const emails = auth.accounts.map((each) => (typeof each === 'string' ? each : each.email));
  if (emails.includes(serviceAccount)) {
    const more = emails.length > 1 ? `, and of ${emails.length - 1} more account(s)` : '';
    yield ok(about, `handlers take tasks of ${serviceAccount}${more}`);
  } else {
    yield warn(
      about,
      `${serviceAccount} is not among them, so handlers refuse the tasks that this app makes`,
      'Add it to OIDC_ACCOUNTS, or name one of those by SERVICE_ACCOUNT',
    );
  }
}

function* queues({ auth, queueName }: Settings): Iterable<Finding> {
  if (!auth.queues || auth.queues.includes(queueName)) return;
  yield warn(
    'ALLOWED_QUEUES',
    `${queueName} is not among them, so handlers refuse tasks that name no queue`,
    `Add it: ALLOWED_QUEUES=${auth.queues.join()},${queueName}`,
  );
}

async function producers({ producer, host }: Settings): Promise<Finding> {
  const about = 'PRODUCER_AUTH';
  switch (producer.kind) {
    case 'nobody':
      return ok(about, 'nobody: this role serves no producers');
    case 'none':
      return ok(about, `none: programs of this machine, as only they reach ${host}`);
    case 'oidc':
    case 'iap': {
      const { kind, accounts, accountsFile, audience } = producer;
      if (accountsFile === undefined) {
        const who = accounts
          ? `${accounts.length} account(s)`
          : 'whoever Identity-Aware Proxy lets through';
        return ok(about, `${kind}: ${who}, for ${audience}`);
      }
      const { readAccountFile } = await import('../../modules/producer/account-file.js');
      try {
        const { size } = readAccountFile(accountsFile);
        return ok(about, `${kind}: ${size} account(s) of ${accountsFile}, for ${audience}`);
      } catch (error) {
        return fail(about, `${kind}: ${reasonOf(error)}`);
      }
    }
    case 'api-key': {
      const { readKeyFile } = await import('../../modules/producer/key-file.js');
      try {
        const keys = [...readKeyFile(producer.file).values()];
        const active = keys.filter(({ revoked }) => revoked === undefined);
        if (active.length > 0) {
          return ok(about, `api-key: ${active.length} active key(s) in ${producer.file}`);
        }
        return warn(
          about,
          `api-key: ${producer.file} has no active key, so nobody may enqueue`,
          `npx nest-cloud-tasks keys create --client NAME --file ${producer.file}`,
        );
      } catch (error) {
        return fail(about, `api-key: ${reasonOf(error)}`);
      }
    }
  }
}

function* external(settings: Settings): Iterable<Finding> {
  const { external, outboundFile, serviceAccount, projectId } = settings;
  const named = external.origins === 'loopback' ? [] : external.origins;
  let rules: readonly OutboundRule[] = named;
  if (external.origins === 'loopback') {
    yield ok('EXTERNAL_ORIGINS', 'this machine alone, on any port but our own');
  } else if (named.length > 0 || outboundFile === undefined) {
    yield ok('EXTERNAL_ORIGINS', `${named.length} origin(s) that tasks may call`);
  }
  if (outboundFile !== undefined) {
    try {
      rules = outboundRules(settings);
      yield ok('OUTBOUND_FILE', `${rules.length - named.length} rule(s) for other servers`);
    } catch (error) {
      yield fail('OUTBOUND_FILE', reasonOf(error));
    }
  }
  const withToken = rules.filter(({ audience }) => audience !== undefined);
  const twice = withToken.find(({ audience, origin }) =>
    withToken.some((other) => other.audience === audience && other.origin !== origin),
  );
  if (twice) {
    yield warn(
      'audience',
      `two origins get tokens for ${String(twice.audience)}, so each could use them at the other`,
      'Give each origin an audience of its own',
    );
  }
  const asHandlers = withToken.some(({ serviceAccount: account }) => account === undefined);
  if (asHandlers && external.serviceAccount === serviceAccount && onGoogle({ settings })) {
    yield warn(
      'EXTERNAL_SERVICE_ACCOUNT',
      `tokens for others' origins are those of the handlers' account, ${serviceAccount}: whatever it may do elsewhere, a task may`,
      `gcloud iam service-accounts create tasks-external --project=${projectId}`,
      `Set EXTERNAL_SERVICE_ACCOUNT=tasks-external@${projectId}.iam.gserviceaccount.com`,
    );
  }
}

/** Of `EXTERNAL_ORIGINS` and of the file. @throws CloudTasksError for a file that isn't right */
export function outboundRules(settings: Settings): readonly OutboundRule[] {
  const { rules, file, loopback, ownAudiences } = outboundOptions(settings);
  if (file === undefined) return rules;
  const isOwnAudience = (audience: string) => ownAudiences.includes(audience);
  return [...rules, ...readOutboundFile(file, { loopback, isOwnAudience, others: rules })];
}

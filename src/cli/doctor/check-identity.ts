/** Looks at the service accounts that tasks are called as, and whether whoever asks may use them. */
import type { Settings } from '../../config.js';
import { outboundRules } from './check-settings.js';
import type { Examined, Section } from './examined.js';
import { onGoogle } from './examined.js';
import type { Finding } from './finding.js';
import { fail, ok, reasonOf, warn } from './finding.js';
import type { Google } from './google.js';
import { refusalOf } from './google.js';

const ACT_AS = 'iam.serviceAccounts.actAs';
/** For tokens that the app makes by itself: the relay's, and those of `--canary`. */
const MINT = 'iam.serviceAccounts.getOpenIdToken';

export const identity: Section = {
  title: 'Identity on Google Cloud',
  needs: [
    ...(['PROJECT_ID', 'TASKS_BACKEND', 'SERVICE_ACCOUNT'] as const),
    ...(['EXTERNAL_SERVICE_ACCOUNT', 'RELAY_SERVICE_ACCOUNT'] as const),
  ],
  applies: onGoogle,
  async *findings({ settings, google }) {
    try {
      yield ok(
        'credentials',
        `${(await google.email()) ?? 'a person'}: what follows is what they may do`,
      );
    } catch (error) {
      yield fail(
        'credentials',
        `there are none that work (${reasonOf(error)})`,
        'gcloud auth application-default login',
        `gcloud auth application-default login --impersonate-service-account=APP@${settings.projectId}.iam.gserviceaccount.com   # to ask as the app`,
      );
      return;
    }
    for (const [account, uses] of usesOf(settings)) {
      yield* serviceAccount(account, uses, settings, google);
    }
  },
};

/**
 * What an account is for: `tasks` that carry its token, which Cloud Tasks makes, or `calls` of the
 * relay, whose tokens the app makes by itself.
 */
type Use = 'tasks' | 'calls';

function usesOf(settings: Settings): Map<string, Set<Use>> {
  const uses = new Map<string, Set<Use>>();
  const add = (account: string, use: Use) => {
    uses.set(account, (uses.get(account) ?? new Set<Use>()).add(use));
  };
  add(settings.serviceAccount, 'tasks');
  for (const { audience, serviceAccount } of rulesOf(settings)) {
    if (audience !== undefined) add(serviceAccount ?? settings.external.serviceAccount, 'tasks');
  }
  const { serviceAccount: relay, credentials } = settings.relay;
  // A key is the account itself.
  if (relay !== undefined && !credentials) add(relay, 'calls');
  return uses;
}

function rulesOf(settings: Settings): ReturnType<typeof outboundRules> {
  try {
    return outboundRules(settings);
  } catch {
    // Said where the file is looked at.
    return [];
  }
}

async function* serviceAccount(
  account: string,
  uses: ReadonlySet<Use>,
  settings: Settings,
  google: Google,
): AsyncIterable<Finding> {
  const url = `${google.addresses.iam}/v1/projects/-/serviceAccounts/${encodeURIComponent(account)}`;
  try {
    const answer = await google.ask(url);
    yield existence(account, answer, settings);
    if (answer.status === 404) return;
    const asked = { permissions: [ACT_AS, MINT] };
    const tested = await google.ask(`${url}:testIamPermissions`, asked);
    if (tested.status === 200) {
      const had = (tested.json['permissions'] ?? []) as unknown[];
      yield* permissions(account, uses, had, await google.member(), settings);
    } else {
      yield warn(account, `nobody can tell what may be done with it (${refusalOf(tested)})`);
    }
    if (uses.has('tasks')) yield* agent(account, settings);
  } catch (error) {
    yield warn(account, `IAM can't be asked: ${reasonOf(error)}`);
  }
}

function existence(
  account: string,
  answer: Awaited<ReturnType<Google['ask']>>,
  { projectId }: Settings,
): Finding {
  switch (answer.status) {
    case 200:
      return answer.json['disabled'] === true
        ? fail(
            account,
            'it is disabled, so tasks that carry its token fail',
            `gcloud iam service-accounts enable ${account} --project=${projectOf(account) ?? projectId}`,
          )
        : ok(account, 'it exists');
    case 404:
      return fail(
        account,
        'there is no such service account, so no task can be made that carries its token',
        `gcloud iam service-accounts create ${account.split('@', 1)[0] ?? ''} --project=${projectOf(account) ?? projectId}`,
      );
    default:
      return warn(account, `it can't be seen (${refusalOf(answer)})`);
  }
}

function* permissions(
  account: string,
  uses: ReadonlySet<Use>,
  had: readonly unknown[],
  who: string,
  { auth }: Settings,
): Iterable<Finding> {
  const grant = (role: string) =>
    `gcloud iam service-accounts add-iam-policy-binding ${account} --member=${who} --role=roles/iam.${role}`;
  if (had.includes(ACT_AS)) yield ok(account, 'tasks that carry its token may be made (actAs)');
  else if (uses.has('tasks')) {
    // There handlers are called without.
    const finding = auth.mode === 'appengine' ? warn : fail;
    yield finding(
      account,
      `${who} may not make tasks that carry its token (no ${ACT_AS})`,
      grant('serviceAccountUser'),
    );
  }
  if (had.includes(MINT)) yield ok(account, 'it can be impersonated (getOpenIdToken)');
  else if (uses.has('calls')) {
    yield fail(
      account,
      `${who} may not make its tokens, which relayed calls carry (no ${MINT})`,
      grant('serviceAccountOpenIdTokenCreator'),
    );
  } else {
    yield ok(account, `it can't be impersonated, which tasks don't need (no ${MINT})`);
  }
}

/** Cloud Tasks mints the tokens by an agent of its own, which has what it needs in its own project. */
function* agent(account: string, { projectId }: Settings): Iterable<Finding> {
  const home = projectOf(account);
  if (home === undefined || home === projectId) return;
  yield warn(
    account,
    `it is of the project ${home}: the agent of Cloud Tasks of ${projectId} must be let mint its tokens`,
    `gcloud iam service-accounts add-iam-policy-binding ${account} --role=roles/iam.serviceAccountTokenCreator --member=serviceAccount:service-$(gcloud projects describe ${projectId} --format='value(projectNumber)')@gcp-sa-cloudtasks.iam.gserviceaccount.com`,
  );
}

function projectOf(account: string): string | undefined {
  return /@([a-z0-9-]+)\.iam\.gserviceaccount\.com$/.exec(account)?.[1];
}

/** An ID token as Cloud Tasks would attach it. @throws Error with one line */
export async function mintToken({ settings, google }: Examined, audience: string): Promise<string> {
  const account = encodeURIComponent(settings.serviceAccount);
  const url = `${google.addresses.iamCredentials}/v1/projects/-/serviceAccounts/${account}:generateIdToken`;
  const answer = await google.ask(url, { audience, includeEmail: true });
  const { token } = answer.json;
  if (answer.status !== 200 || typeof token !== 'string') throw new Error(refusalOf(answer));
  return token;
}

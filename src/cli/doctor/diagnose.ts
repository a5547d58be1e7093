/** Goes through all that can be checked, section by section. */
import type { Variables } from '../../settings/names.js';
import type { OpenBackend } from '../backend.js';
import { openBackend } from '../backend.js';
import { readAllSettings } from './all-settings.js';
import { canary } from './check-canary.js';
import { engine, engineAnswers } from './check-engine.js';
import { front } from './check-front.js';
import { identity } from './check-identity.js';
import { keys } from './check-keys.js';
import { queues } from './check-queues.js';
import { identityOfCallers, identityOfTasks } from './check-settings.js';
import { stores } from './check-stores.js';
import type { Examined, Section } from './examined.js';
import type { Finding } from './finding.js';
import { fail, ok, warn } from './finding.js';
import type { GoogleAddresses } from './google.js';
import { GOOGLE, Google } from './google.js';

/** From what everything else follows, to what takes longest. */
const SECTIONS: readonly Section[] = [
  ...[identityOfTasks, identityOfCallers, engine, keys, stores],
  ...[identity, queues, front, canary],
];

export interface DoctorOptions {
  readonly variables: Variables;
  /** Base address of a deployment, without a slash at its end. */
  readonly url?: string;
  readonly path: string;
  readonly canary: boolean;
  readonly addresses?: Partial<GoogleAddresses>;
}

export interface SectionFindings {
  readonly title: string;
  readonly findings: readonly Finding[];
}

/** Changes nothing, but for the task of a canary. */
export async function* diagnose(options: DoctorOptions): AsyncGenerator<SectionFindings> {
  const { settings, problems } = readAllSettings(options.variables);
  yield { title: 'Settings', findings: settingFindings(problems, settings !== undefined) };
  if (!settings) return;
  const addresses = { ...GOOGLE, ...options.addresses };
  let opened: Promise<OpenBackend> | undefined;
  const { url, ...rest } = options;
  const examined: Examined = {
    ...rest,
    ...(url === undefined ? {} : { url }),
    settings,
    google: new Google(addresses, settings.projectId),
    backend: () => (opened ??= open(settings, addresses)),
  };
  try {
    for (const section of SECTIONS) {
      if (!section.applies(examined)) continue;
      const { title } = section;
      const wrong = section.needs.filter((name) => problems.has(name));
      if (wrong.length > 0) {
        yield { title, findings: [warn('not checked', `mend ${wrong.join(', ')} first`)] };
        continue;
      }
      const findings: Finding[] = [];
      for await (const finding of section.findings(examined)) findings.push(finding);
      yield { title, findings };
    }
  } finally {
    await opened?.then(
      ({ api }) => api.close(),
      () => undefined,
    );
  }
}

/** How to find what must be set. */
const FOUND_BY: Readonly<Record<string, readonly string[]>> = {
  PROJECT_ID: ['gcloud config get-value project'],
  SERVICE_URL: [
    "gcloud run services describe SERVICE --region=REGION --format='value(status.url)'",
    "gcloud app describe --format='value(defaultHostname)'   # https:// before it",
  ],
  SERVICE_ACCOUNT: ['gcloud iam service-accounts list', 'gcloud iam service-accounts create tasks'],
  PRODUCER_AUTH: ['docs/security.md tells which is for whom'],
  PRODUCER_KEYS_FILE: ['npx nest-cloud-tasks keys create --client NAME'],
};

function settingFindings(problems: ReadonlyMap<string, string>, isWhole: boolean): Finding[] {
  const wrong = [...problems].map(([name, message]) =>
    fail(name, message.replace(`${name}: `, ''), ...(FOUND_BY[name] ?? [])),
  );
  if (wrong.length === 0) return [ok('settings', 'they are as they must be')];
  return isWhole ? wrong : [...wrong, warn('not checked', 'all else, until these are mended')];
}

async function open(
  { backend, projectId, location }: Examined['settings'],
  { cloudTasks }: GoogleAddresses,
): Promise<OpenBackend> {
  if (backend.kind === 'embedded' && !(await engineAnswers(backend))) {
    throw new Error(`no engine answers at ${backend.host}:${backend.port}`);
  }
  const emulatorHost = backend.kind === 'google' ? (backend.emulatorHost ?? cloudTasks) : undefined;
  return openBackend({
    backend: backend.kind,
    host: backend.kind === 'embedded' ? backend.host : '',
    port: backend.kind === 'embedded' ? backend.port : 0,
    project: projectId,
    location,
    ...(emulatorHost === undefined ? {} : { emulatorHost }),
  });
}

/** The names of our settings, and the refusal of those that only look like one. */
import { nearestName } from '../foundation/did-you-mean.js';
import { printable } from '../foundation/printable.js';

export type Variables = Readonly<Record<string, string | undefined>>;

/** A setting that the app can't start with: its name, what was expected, what came. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';

  /** @param setting the variable at fault */
  constructor(
    message: string,
    readonly setting: string,
  ) {
    super(message);
  }
}

/** All that the app reads; docs/settings.md tells about each. */
export const SETTING_NAMES = [
  ...['PORT', 'HOST', 'TASKS_BACKEND', 'ENGINE_HOST', 'ENGINE_PORT', 'DATA_DIR', 'ENGINE_SECRET'],
  ...['CLOUD_TASKS_EMULATOR_HOST', 'PROJECT_ID', 'GOOGLE_CLOUD_PROJECT', 'LOCATION', 'QUEUE_NAME'],
  ...['ROLE', 'SERVICE_URL', 'SERVICE_ACCOUNT', 'AUTH_MODE', 'ENVELOPE_SECRET'],
  ...['OIDC_AUDIENCE', 'OIDC_ACCOUNTS', 'OIDC_ISSUER', 'ALLOWED_QUEUES', 'PRODUCER_AUTH'],
  ...[
    'PRODUCER_KEYS_FILE',
    'PRODUCER_AUDIENCE',
    'PRODUCER_ACCOUNTS',
    'PRODUCER_ACCOUNTS_FILE',
    'PRODUCER_ISSUER',
  ],
  ...[
    'EXTERNAL_ORIGINS',
    'EXTERNAL_SERVICE_ACCOUNT',
    'OUTBOUND_FILE',
    'APP_ENGINE_HOSTS',
    'QUEUES_FILE',
  ],
  ...['STORE_URL', 'PAYLOAD_STORE', 'SMTP_URL', 'MAIL_FROM'],
  ...['DATABASE_URL', 'SYNC_SOURCE_URL', 'CLEANUP_MAILS_AFTER', 'CLEANUP_DELIVERIES_AFTER'],
  ...['CLEANUP_GONE_AFTER', 'WEBHOOK_SECRET'],
  ...['RELAY_QUEUES', 'RELAY_MAX_INFLIGHT', 'RELAY_SERVICE_ACCOUNT', 'CALLBACK_SECRET'],
  ...['SERVICE_CALLER_SECRET', 'SERVICE_CALLER_SECRET_NAME'],
] as const;
export type SettingName = (typeof SETTING_NAMES)[number];

/** Names that platforms and people's shells set for reasons of their own. */
const OTHERS = /^(?:GOOGLE_|GCLOUD_|GCP_|CLOUD_RUN_|CLOUDSDK_|GAE_|K_|KUBERNETES_|npm_)/i;
/** What Kubernetes and Docker links set for a neighbour that is called, say, `engine`. */
const NEIGHBOUR = /_(?:SERVICE_HOST|SERVICE_PORT(?:_.*)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_.*)?)$/;
const NEIGHBOUR_ADDRESS = /^(?:tcp|udp|sctp):\/\//;
const OURS = /^(?:TASKS|ENGINE|OIDC|EXTERNAL|PRODUCER|RELAY|CLEANUP|CLOUD_TASKS|APP_ENGINE)_/;
/** Too far from the right name to be found as a slip. */
const MISTAKEN: Readonly<Record<string, SettingName>> = {
  PROJECT: 'PROJECT_ID',
  QUEUE: 'QUEUE_NAME',
};

/** @throws SettingsError for a name that is set and looks like one of ours, but is none */
export function refuseUnknownNames(variables: Variables): void {
  const known: readonly string[] = SETTING_NAMES;
  for (const [name, value] of Object.entries(variables)) {
    if (!value) continue;
    if (known.includes(name) || OTHERS.test(name)) continue;
    if (NEIGHBOUR.test(name) || NEIGHBOUR_ADDRESS.test(value)) continue;
    // Short names are too near to everybody's: HOST and HOME.
    const nearest = MISTAKEN[name] ?? (name.length > 6 ? nearestName(name, known, 10) : undefined);
    if (nearest !== undefined || OURS.test(name)) {
      const hint = nearest === undefined ? '' : `, did you mean ${nearest}?`;
      throw new SettingsError(
        `${printable(name)} is not a setting${hint || ': leave it out'}`,
        name,
      );
    }
  }
}

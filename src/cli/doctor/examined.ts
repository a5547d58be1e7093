/** What the checks look at, and what they have in common. */
import type { Settings } from '../../config.js';
import type { SettingName, Variables } from '../../settings/names.js';
import type { OpenBackend } from '../backend.js';
import type { Finding } from './finding.js';
import type { Google } from './google.js';

export interface Examined {
  readonly settings: Settings;
  readonly variables: Variables;
  readonly google: Google;
  /** Opened when it is first asked for. Rejects with one line for a person. */
  readonly backend: () => Promise<OpenBackend>;
  /** Base address of a deployment to call as a stranger would. */
  readonly url?: string;
  /** Of a handler there. */
  readonly path: string;
  /** Whether a real task may be sent. */
  readonly canary: boolean;
}

export interface Section {
  readonly title: string;
  /** Without these being right there is nothing to be said. */
  readonly needs: readonly SettingName[];
  /** Whether it says anything of such an app. */
  readonly applies: (examined: Examined) => boolean;
  readonly findings: (examined: Examined) => AsyncIterable<Finding>;
}

/** Google's own service, not an emulator of it. */
export function onGoogle({ settings: { backend } }: Pick<Examined, 'settings'>): boolean {
  return backend.kind === 'google' && backend.emulatorHost === undefined;
}

/** `--project p --location l`, as gcloud and our own commands have them. */
export function whose({ projectId, location }: Settings): string {
  return `--project=${projectId} --location=${location}`;
}

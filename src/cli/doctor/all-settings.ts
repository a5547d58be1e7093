/** Reads the settings as the app does, but finds all that is wrong with them, not the first alone. */
import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import type { Settings } from '../../config.js';
import { readSettings } from '../../config.js';
import type { Variables } from '../../settings/names.js';
import { SettingsError } from '../../settings/names.js';

export interface AllSettings {
  /** Where something is wrong, with stand-ins for it; undefined where even those don't help. */
  readonly settings: Settings | undefined;
  /** What is wrong, by the name of the variable. */
  readonly problems: ReadonlyMap<string, string>;
}

/** Of other kinds they would be refused beside it, and are not at fault. */
const SOME_PRODUCER: Variables = {
  PRODUCER_AUTH: 'iap',
  PRODUCER_AUDIENCE: 'doctor',
  PRODUCER_KEYS_FILE: undefined,
  PRODUCER_ACCOUNTS: undefined,
  PRODUCER_ACCOUNTS_FILE: undefined,
  PRODUCER_ISSUER: undefined,
};

/** For what must be set and isn't, so that the rest can be judged. */
const STAND_INS: Readonly<Record<string, Variables>> = {
  PROJECT_ID: { PROJECT_ID: 'doctor' },
  SERVICE_URL: { SERVICE_URL: 'https://doctor.invalid' },
  SERVICE_ACCOUNT: { SERVICE_ACCOUNT: 'doctor@doctor.invalid' },
  ENGINE_PORT: { ENGINE_PORT: '0' },
  PRODUCER_AUTH: SOME_PRODUCER,
  PRODUCER_KEYS_FILE: SOME_PRODUCER,
  PRODUCER_AUDIENCE: { PRODUCER_AUDIENCE: 'doctor' },
  PRODUCER_ACCOUNTS: { PRODUCER_ACCOUNTS: 'doctor@doctor.invalid' },
};

/** Each variable is refused once, then left out, and then replaced. */
export function readAllSettings(variables: Variables): AllSettings {
  const problems = new Map<string, string>();
  const replaced = new Set<string>();
  const rest: Record<string, string | undefined> = { ...variables };
  for (;;) {
    try {
      return { settings: readSettings(rest), problems };
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      const { setting, message } = error;
      const isFirst = !problems.has(setting);
      if (isFirst) problems.set(setting, message);
      if (isFirst && rest[setting] !== undefined) {
        rest[setting] = undefined;
      } else if (STAND_INS[setting] && !replaced.has(setting)) {
        replaced.add(setting);
        Object.assign(rest, STAND_INS[setting]);
      } else {
        return { settings: undefined, problems };
      }
    }
  }
}

/**
 * The variables of this process and of a file, as the app has them: what the process has wins.
 *
 * @param file in place of `.env`, which need not be there
 */
export function variablesOf(own: Variables, file: string | undefined): Variables {
  if (file === undefined && !existsSync('.env')) return own;
  return { ...parseEnv(readFileSync(file ?? '.env', 'utf8')), ...own };
}

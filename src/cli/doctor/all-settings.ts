/** Reads the settings as the app does, but finds all that is wrong with them, not the first alone. */
import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import type { Settings } from '../../config.js';
import { readSettings } from '../../config.js';
import type { Variables } from '../../setting-names.js';
import { SettingsError } from '../../setting-names.js';

export interface AllSettings {
  /** Where something is wrong, with stand-ins for it; undefined where even those don't help. */
  readonly settings: Settings | undefined;
  /** What is wrong, by the name of the variable. */
  readonly problems: ReadonlyMap<string, string>;
}

/** For what must be set and isn't, so that the rest can be judged. */
const STAND_INS: Readonly<Record<string, Variables>> = {
  PROJECT_ID: { PROJECT_ID: 'doctor' },
  SERVICE_URL: { SERVICE_URL: 'https://doctor.invalid' },
  SERVICE_ACCOUNT: { SERVICE_ACCOUNT: 'doctor@doctor.invalid' },
  PRODUCER_AUTH: {
    PRODUCER_AUTH: 'iap',
    PRODUCER_AUDIENCE: 'doctor',
    // Of other kinds they would be refused beside it, and are not at fault.
    PRODUCER_KEYS_FILE: undefined,
    PRODUCER_ACCOUNTS: undefined,
    PRODUCER_ISSUER: undefined,
  },
  PRODUCER_AUDIENCE: { PRODUCER_AUDIENCE: 'doctor' },
  PRODUCER_ACCOUNTS: { PRODUCER_ACCOUNTS: 'doctor@doctor.invalid' },
};

/** Each variable is refused once, then left out, and then replaced. */
export function readAllSettings(variables: Variables): AllSettings {
  const problems = new Map<string, string>();
  const rest: Record<string, string | undefined> = { ...variables };
  for (;;) {
    try {
      return { settings: readSettings(rest), problems };
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      const { setting, message } = error;
      const isNew = !problems.has(setting);
      if (isNew) problems.set(setting, message);
      if (isNew && rest[setting] !== undefined) rest[setting] = undefined;
      else if (isStandIn(rest, setting)) return { settings: undefined, problems };
      else Object.assign(rest, STAND_INS[setting]);
    }
  }
}

function isStandIn(variables: Variables, setting: string): boolean {
  const standIn = STAND_INS[setting]?.[setting];
  return standIn === undefined || variables[setting] === standIn;
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

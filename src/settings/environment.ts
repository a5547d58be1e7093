/** Reads environment variables by kind; what doesn't fit is refused with its name. */
import { ACCOUNT_ADDRESS } from '../foundation/account-address.js';
import { printable } from '../foundation/printable.js';
import type { SettingName, Variables } from './names.js';
import { SettingsError } from './names.js';
import { isWebhookSecret } from '../foundation/webhook-signature.js';

const SECRET: readonly SettingName[] = [
  ...(['ENGINE_SECRET', 'ENVELOPE_SECRET', 'CALLBACK_SECRET', 'SERVICE_CALLER_SECRET'] as const),
  'WEBHOOK_SECRET',
];

const ACCOUNT_EXPECTED = "an address such as 'tasks@my-project.iam.gserviceaccount.com'";

const QUEUE_ID = /^[A-Za-z0-9-]{1,100}$/;
const QUEUE_ID_EXPECTED = 'a queue id of 1 to 100 letters, digits and hyphens';

/** Every refusal names the variable, what was expected and what came. */
export class Environment {
  constructor(private readonly variables: Variables) {}

  isSet(name: SettingName): boolean {
    return this.text(name) !== undefined;
  }

  text(name: SettingName): string | undefined {
    return this.variables[name]?.trim() || undefined;
  }

  matching(name: SettingName, pattern: RegExp, expected: string): string | undefined {
    const text = this.text(name);
    if (text !== undefined && !pattern.test(text)) this.refuse(name, expected);
    return text;
  }

  oneOf<Value extends string>(name: SettingName, values: readonly Value[], fallback: Value): Value {
    const text = this.text(name) ?? fallback;
    return (
      values.find((value) => value === text) ?? this.refuse(name, `one of ${values.join(', ')}`)
    );
  }

  port(name: SettingName, fallback: number): number {
    const port = Number(this.matching(name, /^\d{1,5}$/, 'a port from 0 to 65535') ?? fallback);
    return port <= 65535 ? port : this.refuse(name, 'a port from 0 to 65535');
  }

  account(name: SettingName): string | undefined {
    return this.matching(name, ACCOUNT_ADDRESS, ACCOUNT_EXPECTED);
  }

  accounts(name: SettingName): string[] | undefined {
    return this.list(name, (text) =>
      ACCOUNT_ADDRESS.test(text) ? text : this.refuse(name, ACCOUNT_EXPECTED, text),
    );
  }

  queues(name: SettingName): string[] | undefined {
    return this.list(name, (text) =>
      QUEUE_ID.test(text) ? text : this.refuse(name, QUEUE_ID_EXPECTED, text),
    );
  }

  url(name: SettingName, expected: string): URL | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : (parseUrl(text) ?? this.refuse(name, expected));
  }

  /** One that webhooks are signed with, or two while it is changed, the current one first. */
  webhookSecrets(name: SettingName): string[] {
    const expected =
      "'whsec_' and base64 of 24 to 64 bytes, or two of those with a comma, the current one first";
    const secrets = this.text(name)?.split(',') ?? [];
    const trimmed = secrets.map((text) => text.trim());
    if (trimmed.length > 2 || !trimmed.every(isWebhookSecret)) this.refuse(name, expected);
    return trimmed;
  }

  /** Comma-separated; each item is trimmed, none may be empty. */
  list<Item>(name: SettingName, read: (text: string) => Item): Item[] | undefined {
    return this.text(name)
      ?.split(',')
      .map((item) => item.trim() || this.refuse(name, 'no empty item'))
      .map(read);
  }

  refuse(name: SettingName, expected: string, came = this.text(name)): never {
    throw new SettingsError(`${name}: expected ${expected}, got ${this.shown(name, came)}`, name);
  }

  private shown(name: SettingName, came: string | undefined): string {
    if (came === undefined) return 'nothing';
    // A password hides in a URL as well.
    if (SECRET.includes(name) || (came.includes('://') && came.includes('@')))
      return 'another value (not shown)';
    return `'${printable(came)}'`;
  }
}

/** An http(s) URL that names no user. */
export function parseUrl(text: string): URL | undefined {
  const url = /^https?:\/\/[\x21-\x7e]+$/i.test(text) ? URL.parse(text) : null;
  return url && !url.username && !url.password ? url : undefined;
}

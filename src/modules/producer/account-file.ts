/** Reads the file that says what each account may enqueue, when callers show ID tokens or come through a proxy. */
import { QUEUE_ID } from '../../engine/resource-name.js';
import { ACCOUNT_ADDRESS } from '../../foundation/account-address.js';
import { printable } from '../../foundation/printable.js';
import type { YamlPlace } from '../../foundation/yaml-place.js';
import { parseYaml, textOfFile } from '../../foundation/yaml-place.js';
import { DEFAULT_RATE } from './api-key.js';
import { MOST_RATE, TASK_PATH } from './key-file.js';
import type { ProducerScopes } from './producer-caller.js';

/** The grants of an API key, and their defaults. */
export interface AccountGrants extends ProducerScopes {
  /** Requests a minute, of each process. */
  readonly rate: number;
}

const FIELDS = ['queues', 'tasks', 'external', 'rate'];

/**
 * @param path of YAML: `accounts`, and under each e-mail address its grants, or nothing
 * @returns what each may do, by the e-mail address
 * @throws CloudTasksError INVALID_ARGUMENT with one line: the file, the line in it, the field, what
 *   was expected and what came
 */
export function readAccountFile(path: string): ReadonlyMap<string, AccountGrants> {
  const root = parseYaml(textOfFile(path), printable(path, 200));
  const accounts = root.isNothing ? undefined : root.fields(['accounts']).get('accounts');
  if (!accounts || accounts.isNothing) throw root.error('expected accounts:, got none');
  const grants = new Map<string, AccountGrants>();
  for (const [email, place] of accounts.entries()) {
    if (!ACCOUNT_ADDRESS.test(email)) {
      throw place.error("expected an address such as 'billing@my-project.iam.gserviceaccount.com'");
    }
    grants.set(email, readGrants(place));
  }
  if (grants.size === 0) throw accounts.error('expected one account or more, got none');
  return grants;
}

function readGrants(place: YamlPlace): AccountGrants {
  const fields = place.isNothing ? new Map<string, YamlPlace>() : place.fields(FIELDS);
  const queues = readList(fields.get('queues'), QUEUE_ID, 'a queue id');
  const tasks = readList(
    fields.get('tasks'),
    TASK_PATH,
    "the path of a handler such as '/tasks/send-email'",
  );
  const rate = fields
    .get('rate')
    ?.number(
      (value) => Number.isInteger(value) && value >= 1 && value <= MOST_RATE,
      `a whole number from 1 to ${MOST_RATE}`,
    );
  return {
    ...(queues ? { queues } : {}),
    ...(tasks ? { tasks } : {}),
    external: fields.get('external')?.oneOf([true, false]) ?? false,
    rate: rate ?? DEFAULT_RATE,
  };
}

/** None would be any: who means nobody takes the account out. */
function readList(
  place: YamlPlace | undefined,
  pattern: RegExp,
  expected: string,
): string[] | undefined {
  const items = place?.items().map((item) => item.text(pattern, expected));
  if (place && items?.length === 0) place.refuse(`${expected} or more`);
  return items;
}

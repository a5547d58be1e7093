/** `nest-cloud-tasks keys`: makes, lists and revokes the API keys of those who may enqueue. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { existsSync } from 'node:fs';
import { QUEUE_ID } from '../engine/resource-name.js';
import type { KeyRecord } from '../modules/producer/api-key.js';
import { DEFAULT_RATE, makeKey, MOST_ACTIVE } from '../modules/producer/api-key.js';
import {
  activeKeys,
  CLIENT,
  KEYS_FILE,
  MOST_RATE,
  readKeyFile,
  TASK_PATH,
  writeKeyFile,
} from '../modules/producer/key-file.js';
import { matching } from './arguments.js';

interface NewKey {
  readonly client: string;
  readonly queue?: string[];
  readonly task?: string[];
  readonly external: boolean;
  readonly rate: number;
  readonly file: string;
}

export function keysCommand(): Command {
  return new Command('keys')
    .summary('make, list and revoke the API keys of those who may enqueue')
    .description(
      'API keys for PRODUCER_AUTH=api-key. The file keeps hashes alone, so it may be deployed with the app.',
    )
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand());
}

function createCommand(): Command {
  const queue = matching(QUEUE_ID, 'a queue id of 1 to 100 letters, digits and hyphens');
  const task = matching(TASK_PATH, "the path of a handler such as '/tasks/send-email'");
  return new Command('create')
    .summary('make a key and print it, once')
    .addOption(
      new Option('--client <name>', 'whose it is')
        .argParser(matching(CLIENT, "a name such as 'billing'"))
        .makeOptionMandatory(),
    )
    .option('--queue <ids...>', 'queues that it may enqueue to (default: all)', each(queue))
    .option('--task <paths...>', 'handlers that it may call (default: all)', each(task))
    .option('--external', 'may make tasks for other URLs, of EXTERNAL_ORIGINS', false)
    .option('--rate <number>', 'requests a minute, of each process', rate, DEFAULT_RATE)
    .addOption(fileOption())
    .action(create);
}

function listCommand(): Command {
  return new Command('list')
    .summary('show the keys, without what makes them work')
    .addOption(fileOption())
    .action(({ file }: { file: string }) => {
      for (const record of readKeyFile(file).values()) console.log(line(record));
    });
}

function revokeCommand(): Command {
  return new Command('revoke')
    .summary('refuse a key from now on')
    .argument('<id>', 'as `list` shows it')
    .addOption(fileOption())
    .action((id: string, { file }: { file: string }) => {
      const records = readKeyFile(file);
      const record = records.get(id);
      if (!record) throw new Error(`${file} has no key '${id}'`);
      if (record.revoked !== undefined) throw new Error(`${id} was revoked at ${record.revoked}`);
      records.set(id, { ...record, revoked: new Date().toISOString() });
      writeKeyFile(file, records);
      console.log(`Revoked ${id} of ${record.client}. ${UNTIL_DEPLOYED}`);
    });
}

const UNTIL_DEPLOYED =
  'Apps know within 30 s where they read this very file, else when it is deployed.';

function create({ client, queue, task, external, rate, file }: NewKey): void {
  const records = existsSync(file) ? readKeyFile(file) : new Map<string, KeyRecord>();
  const active = activeKeys(records, client);
  if (active.length >= MOST_ACTIVE) {
    const ids = active.map(({ id }) => id).join(' and ');
    throw new Error(`${client} has ${MOST_ACTIVE} active keys, ${ids}: revoke one first`);
  }
  const scopes = { ...(queue ? { queues: queue } : {}), ...(task ? { tasks: task } : {}) };
  const { key, record } = makeKey({ client, ...scopes, external, rate }, new Date());
  records.set(record.id, record);
  writeKeyFile(file, records);
  // The key alone, so that it can be piped to where it is to be kept.
  console.log(key);
  console.error(`${line(record)}\nIts hash is in ${file}. Nobody can show the key again.`);
}

function line({ id, client, created, revoked, queues, tasks, external, rate }: KeyRecord): string {
  return [
    id,
    client,
    revoked === undefined ? 'active' : `revoked ${revoked}`,
    `created ${created}`,
    `queues: ${queues?.join(' ') ?? 'all'}`,
    `tasks: ${tasks?.join(' ') ?? 'all'}`,
    `external: ${external ? 'yes' : 'no'}`,
    `${rate} a minute`,
  ].join('  ');
}

function fileOption(): Option {
  return new Option('--file <path>', 'where the hashes are kept')
    .env('PRODUCER_KEYS_FILE')
    .default(KEYS_FILE);
}

function each(read: (text: string) => string): (text: string, before?: string[]) => string[] {
  return (text, before = []) => [...before, read(text)];
}

function rate(text: string): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > MOST_RATE) {
    throw new InvalidArgumentError(`Expected a number from 1 to ${MOST_RATE}.`);
  }
  return number;
}

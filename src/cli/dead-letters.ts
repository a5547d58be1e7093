/** `nest-cloud-tasks dead-letters`: what was given up, looked at, tried again, thrown away, written out. */
import { Command } from 'commander';
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { Environment } from '../settings/environment.js';
import type { Clock } from '../engine/ports.js';
import type { Instant } from '../engine/time.js';
import { DAY, MILLISECOND } from '../engine/time.js';
import { SystemClock } from '../host/system-clock.js';
import type { TaskSeals } from '../modules/auth/task-seals.js';
import { sealing } from '../modules/cloud-tasks/queue-backend.js';
import type { DeadLetter } from '../modules/dead-letters/dead-letter.js';
import type {
  DeadLetterContent,
  DeadLetterFilter,
  DeadLetterResult,
  KeptBodies,
} from '../modules/dead-letters/dead-letters.js';
import { DeadLetters } from '../modules/dead-letters/dead-letters.js';
import { printable } from '../foundation/printable.js';
import { readEnvelope } from '../settings/auth.js';
import { readPayloadStore } from '../settings/payloads.js';
import type { BackendFlags } from './backend.js';
import { openBackend, withBackendOptions } from './backend.js';

interface Meant extends BackendFlags, DeadLetterFilter {
  readonly all?: true;
  readonly json?: true;
  readonly out?: string;
}

const EXAMPLES = `
Examples:
  nest-cloud-tasks dead-letters list --queue email-queue
  nest-cloud-tasks dead-letters show 4f0c… --project my-project
  nest-cloud-tasks dead-letters redrive --reason 'connection refused'
  nest-cloud-tasks dead-letters export --out letters.jsonl && nest-cloud-tasks dead-letters discard --all`;

/** A line of progress after so many. */
const PROGRESS = 100;

export function deadLettersCommand(): Command {
  return new Command('dead-letters')
    .summary('list, show, redrive, discard and export tasks that were given up')
    .description(
      "List, show, redrive, discard and export tasks that were given up: of the embedded engine that runs here, of CLOUD_TASKS_EMULATOR_HOST, or of Google's.",
    )
    .addCommand(
      meaning(withBackendOptions(new Command('list').description('one line each')))
        .option('--json', 'a JSON object in each line')
        .action(list),
    )
    .addCommand(
      withBackendOptions(new Command('show').description('one, with its headers and body'))
        .argument('<task>', 'id of the task, or of the parked one')
        .option('--queue <id>', 'the queue that it comes from')
        .action(show),
    )
    .addCommand(
      meaning(withBackendOptions(new Command('redrive').description('make tasks of them again')))
        .option('--all', 'of all queues and reasons')
        .action((flags: Meant) => change('redrive', 'Redriven', flags)),
    )
    .addCommand(
      meaning(withBackendOptions(new Command('discard').description('delete them for good')))
        .option('--all', 'of all queues and reasons')
        .action((flags: Meant) => change('discard', 'Discarded', flags)),
    )
    .addCommand(
      meaning(
        withBackendOptions(
          new Command('export').description('write them out, a JSON object in each line'),
        ),
      )
        .option('--out <file>', 'default: standard output')
        .action(exportAll),
    )
    .addCommand(
      withBackendOptions(
        new Command('renew').description(
          'park anew those that Cloud Tasks would delete within a week; apps do it daily',
        ),
      ).action(async (flags: BackendFlags) => {
        await opened(flags, async (letters) => report('Parked anew', letters.renew()));
      }),
    )
    .addHelpText('after', EXAMPLES);
}

function meaning(command: Command): Command {
  return command
    .optionsGroup('Which ones:')
    .option('--queue <id>', 'that come from this queue')
    .option('--task <id>', 'the one of this task')
    .option('--reason <text>', 'of a kind such as exhausted, or with this in their message');
}

async function list(flags: Meant): Promise<void> {
  await opened(flags, async (letters, now) => {
    let count = 0;
    for await (const letter of letters.list(filterOf(flags))) {
      count++;
      console.log(flags.json ? JSON.stringify(asJson(letter)) : line(letter, now));
    }
    console.error(`${count} dead letter(s).`);
  });
}

async function show(task: string, flags: Meant): Promise<void> {
  await opened(flags, async (letters, now) => {
    const letter = await letters.show(task, flags.queue);
    console.log(line(letter, now));
    console.log(`message:  ${printable(letter.message, 2000)}`);
    if (letter.lastError !== undefined) console.log(`before:   ${letter.lastError}`);
    console.log(`request:  ${letter.method} ${letter.url}`);
    console.log(
      `lineage:  ${letter.lineage.uid}, hop ${letter.lineage.hop}, redrive ${letter.lineage.redrive}`,
    );
    console.log(`parked:   ${letter.name}`);
    for (const [name, value] of Object.entries(letter.headers)) console.log(`${name}: ${value}`);
    console.log('');
    process.stdout.write(letter.body);
    console.log('');
  });
}

async function change(verb: 'redrive' | 'discard', done: string, flags: Meant): Promise<void> {
  const filter = filterOf(flags);
  if (Object.keys(filter).length === 0 && !flags.all) {
    throw new Error(`Say which with --queue, --task or --reason, or ${verb} --all`);
  }
  await opened(flags, async (letters) => report(done, letters[verb](filter)));
}

async function exportAll(flags: Meant): Promise<void> {
  await opened(flags, async (letters) => {
    const out =
      flags.out === undefined ? process.stdout : createWriteStream(flags.out, { mode: 0o600 });
    let count = 0;
    for await (const letter of letters.export(filterOf(flags))) {
      const { body } = letter;
      const text = JSON.stringify({
        ...asJson(letter),
        body: Buffer.from(body).toString('base64'),
      });
      if (!out.write(`${text}\n`)) await once(out, 'drain');
      if (++count % PROGRESS === 0) console.error(`${count} …`);
    }
    if (out !== process.stdout) {
      out.end();
      await once(out, 'finish');
    }
    console.error(`Exported ${count} dead letter(s).`);
  });
}

async function report(done: string, results: AsyncGenerator<DeadLetterResult>): Promise<void> {
  let count = 0;
  let failed = 0;
  for await (const { letter, error } of results) {
    if (error) {
      failed++;
      console.error(
        `${letter.queue}/${letter.taskId}: ${error.code}: ${printable(error.message, 500)}`,
      );
    } else if (++count % PROGRESS === 0) console.error(`${count} …`);
  }
  console.log(`${done}: ${count}${failed === 0 ? '' : `, failed: ${failed}`}.`);
  if (failed > 0) process.exitCode = 1;
}

async function opened(
  flags: BackendFlags,
  work: (letters: DeadLetters, now: Instant) => Promise<void>,
): Promise<void> {
  const clock = new SystemClock();
  const { api, location } = await openBackend(flags);
  try {
    const seals = await taskSeals(clock);
    const letters = new DeadLetters(
      sealing(api, seals),
      location,
      clock,
      await keptBodies(clock),
      (task) => seals.check(task),
    );
    await work(letters, clock.now());
  } finally {
    await api.close();
  }
}

/** With the secret that the app signs tasks with, if it says so in the same shell. */
async function taskSeals(clock: Clock): Promise<TaskSeals> {
  const envelope = readEnvelope(new Environment(process.env));
  // Only here: it brings Nest along.
  const { TaskSeals } = await import('../modules/auth/task-seals.js');
  // What is made of a dead letter is for a handler of ours, as it was.
  return new TaskSeals({ envelope, isOwn: () => Promise.resolve(true) }, clock);
}

/** Where the app keeps large bodies, if it says so in the same shell. */
async function keptBodies(clock: Clock): Promise<KeptBodies | undefined> {
  const place = readPayloadStore(new Environment(process.env), false);
  if (!place) return undefined;
  // Only here: they bring Nest along.
  const { readPayloadOptions } = await import('../modules/payloads/payload-options.js');
  const { Payloads } = await import('../modules/payloads/payloads.js');
  const payloads = new Payloads(readPayloadOptions(place), clock);
  await payloads.onModuleInit();
  return payloads;
}

function filterOf({ queue, task, reason }: DeadLetterFilter): DeadLetterFilter {
  return {
    ...(queue === undefined ? {} : { queue }),
    ...(task === undefined ? {} : { task }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function line(letter: DeadLetter, now: Instant): string {
  const days = Math.floor((letter.expiresAt - now) / DAY);
  const died = new Date(letter.diedAt / MILLISECOND).toISOString();
  const message = printable(letter.message, 120);
  return `${letter.queue}/${letter.taskId}  ${died}  ${letter.attempts} attempt(s)  ${days} day(s) left  ${letter.reason}: ${message}`;
}

function asJson({ diedAt, expiresAt, ...letter }: DeadLetter | DeadLetterContent) {
  const text = (instant: Instant) => new Date(instant / MILLISECOND).toISOString();
  return { ...letter, diedAt: text(diedAt), expiresAt: text(expiresAt) };
}

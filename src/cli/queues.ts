/** `nest-cloud-tasks queues`: shows what would make queues as they are wanted, and does it. */
import { Command, Option } from 'commander';
import { existsSync } from 'node:fs';
import { applyChange, notApplied } from '../host/apply-queues.js';
import type { QueueChange } from '../host/queue-changes.js';
import { queueChanges } from '../host/queue-changes.js';
import type { QueuesPlan } from '../host/queues-plan.js';
import { DEFAULT_QUEUES_FILE, wantedQueuesOf } from '../host/wanted-queues.js';
import { printable } from '../foundation/printable.js';
import type { BackendFlags, OpenBackend } from './backend.js';
import { openBackend, withBackendOptions } from './backend.js';
import { askForConsent } from './consent.js';
import { attemptsNote, changeLines, isChange, summary } from './queues-diff.js';

interface QueuesFlags extends BackendFlags {
  readonly file?: string;
  readonly yes?: true;
}

/** As `terraform plan -detailed-exitcode` and others have it. */
const EXIT_CHANGES = 2;

const EXAMPLES = `
Examples:
  nest-cloud-tasks queues plan                                the engine on this machine
  nest-cloud-tasks queues plan --backend google --project my-project --file queue.yaml
  nest-cloud-tasks queues apply --backend google --project my-project --yes`;

export function queuesCommand(): Command {
  return new Command('queues')
    .summary('compare queues with a file, and make them so')
    .description(
      'Queues as code: what a file wants of queues, each with a paused one for its dead letters, against what there is. Queues that the file leaves out stay as they are.',
    )
    .addCommand(
      queuesOptions(new Command('plan'))
        .description(
          'Print what apply would change. Exit code 0: nothing; 2: something; 1: an error.',
        )
        .addHelpText('after', EXAMPLES)
        .action(plan),
    )
    .addCommand(
      queuesOptions(new Command('apply'))
        .description('Print it, and change it. On Google only after a yes.')
        .option('--yes', 'change queues on Google without asking')
        .addHelpText('after', EXAMPLES)
        .action(apply),
    );
}

function queuesOptions(command: Command): Command {
  return withBackendOptions(
    command.addOption(
      new Option(
        '--file <path>',
        `YAML in any of its forms, or a JavaScript module that exports queues (default: ${DEFAULT_QUEUES_FILE})`,
      ).env('QUEUES_FILE'),
    ),
  );
}

async function plan(flags: QueuesFlags): Promise<void> {
  await compared(flags, async (_, changes) => {
    if (changes.some(isChange)) process.exitCode = EXIT_CHANGES;
  });
}

async function apply(flags: QueuesFlags): Promise<void> {
  await compared(flags, async (backend, changes) => {
    const wanted = changes.filter(isChange);
    // What isn't Google is this machine's, or made for tests.
    if (wanted.length > 0 && backend.isGoogle && !flags.yes) {
      const queues = wanted.length === 1 ? 'this queue' : `these ${wanted.length} queues`;
      await askForConsent(`Change ${queues} of ${backend.location} on Google?`);
    }
    for (const change of wanted) {
      const report = await applyChange(backend.api, backend.location, change);
      if (!report) continue;
      print(report.text);
      if (report.kind === 'refused') process.exitCode = 1;
    }
  });
}

/** Prints the difference, and goes on with it. */
async function compared(
  flags: QueuesFlags,
  use: (backend: OpenBackend, changes: readonly QueueChange[]) => Promise<void>,
): Promise<void> {
  const { file, queues } = await wantedOf(flags);
  const backend = await openBackend(flags);
  try {
    const { api, location, where } = backend;
    const changes = await queueChanges(api, location, queues);
    print(`Queues of ${file} in ${location}, on ${where}:`);
    for (const line of changeLines(changes)) print(line);
    for (const line of [...notApplied(location, queues), ...attemptsNote(changes)]) print(line);
    print(summary(changes));
    await use(backend, changes);
  } finally {
    await backend.api.close();
  }
}

async function wantedOf({ file }: QueuesFlags): Promise<{ file: string; queues: QueuesPlan }> {
  if (file !== undefined) return { file, queues: await wantedQueuesOf(file) };
  if (!existsSync(DEFAULT_QUEUES_FILE)) {
    throw new Error(`there is no ${DEFAULT_QUEUES_FILE} here: name a file of queues by --file`);
  }
  return { file: DEFAULT_QUEUES_FILE, queues: await wantedQueuesOf(DEFAULT_QUEUES_FILE) };
}

function print(line: string): void {
  console.log(printable(line, Infinity));
}

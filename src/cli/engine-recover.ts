/** `nest-cloud-tasks engine recover`: the way out when the engine refuses a damaged database. */
import { Command, Option } from 'commander';
import { recoverStore } from '../host/recover-store.js';
import { printable } from '../foundation/printable.js';

/** Of what is lost, so many are named. */
const NAMED = 100;

export function engineRecoverCommand(): Command {
  return new Command('recover')
    .summary('keep what is sound of a damaged database')
    .description(
      'Make a new database of the queues and tasks that are sound in a damaged one, say what is lost, and leave the damaged one beside. The engine must not be running.',
    )
    .addOption(
      new Option('--data <folder>', 'where queues and tasks are kept')
        .env('DATA_DIR')
        .default('./.data'),
    )
    .action((_, command: Command) => recover(command.optsWithGlobals<{ data: string }>().data));
}

function recover(dataDir: string): void {
  const { kept, lost, log, old } = recoverStore(dataDir);
  if (log !== undefined) console.log(`What was written last may be lost: ${log}.`);
  for (const { kind, name, reason } of lost.slice(0, NAMED)) {
    console.log(printable(`Lost: ${kind} ${name} (${reason})`, Infinity));
  }
  if (lost.length > NAMED) console.log(`Lost: ${lost.length - NAMED} more`);
  console.log(
    `Kept: ${kept.queues} queues, ${kept.tasks} tasks, ${kept.tombstones} names of finished tasks`,
  );
  console.log(`The damaged database is ${old} now, and its log beside it. The engine can start.`);
}

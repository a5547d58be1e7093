/** `nest-cloud-tasks generate`: writes the files that App Engine reads, of the one that has the truth. */
import { Argument, Command } from 'commander';
import { writeFile } from 'node:fs/promises';
import { cronYaml } from '../host/generate-cron-yaml.js';
import { queueYaml } from '../host/generate-queue-yaml.js';
import { DEFAULT_QUEUES_FILE } from '../host/wanted-queues.js';
import type { WantedFlags } from './wanted.js';
import { wantedQueues, wantedSchedules, withWantedOptions } from './wanted.js';

interface GenerateFlags extends WantedFlags {
  readonly output?: string;
}

type Kind = 'queue.yaml' | 'cron.yaml';

export function generateCommand(): Command {
  return withWantedOptions(
    new Command('generate')
      .summary("write App Engine's queue.yaml or cron.yaml")
      .description(
        "Prints what App Engine reads, made of the file that has the queues and schedules; cron.yaml also of an app's @Schedule. What it can't say is an error, or a comment in the file.",
      )
      .addArgument(new Argument('<what>', 'which of them').choices(['queue.yaml', 'cron.yaml'])),
  )
    .option('--output <path>', 'write it there instead')
    .action(generate);
}

async function generate(what: Kind, flags: GenerateFlags): Promise<void> {
  const text = await textOf(what, flags);
  if (flags.output === undefined) process.stdout.write(text);
  else await writeFile(flags.output, text);
}

async function textOf(what: Kind, flags: GenerateFlags): Promise<string> {
  if (what === 'queue.yaml') {
    const { file = DEFAULT_QUEUES_FILE } = flags;
    return queueYaml(await wantedQueues(flags), file);
  }
  const { schedules, from } = await wantedSchedules(flags);
  return cronYaml(schedules, from);
}

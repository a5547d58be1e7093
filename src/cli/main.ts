#!/usr/bin/env node
/** The command line: `nest-cloud-tasks <command>`, one file a command. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { deadLettersCommand } from './dead-letters.js';
import { doctorCommand } from './doctor.js';
import { engineCommand } from './engine.js';
import { keysCommand } from './keys.js';
import { generateCommand } from './generate.js';
import { queuesCommand } from './queues.js';
import { schedulesCommand } from './schedules.js';

const { version } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string };

const program = new Command('nest-cloud-tasks')
  .description('Background work for NestJS on Google Cloud Tasks.')
  .version(version)
  .showHelpAfterError()
  .addCommand(engineCommand())
  .addCommand(deadLettersCommand())
  .addCommand(doctorCommand())
  .addCommand(keysCommand())
  .addCommand(queuesCommand())
  .addCommand(schedulesCommand())
  .addCommand(generateCommand());

try {
  await program.parseAsync();
} catch (error) {
  // One line that says what is wrong; a stack would only bury it.
  console.error(`nest-cloud-tasks: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

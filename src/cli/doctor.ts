/** `nest-cloud-tasks doctor`: says what is wrong with an app's settings and surroundings, and how to mend it. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Finding } from './doctor/finding.js';
import { variablesOf } from './doctor/all-settings.js';
import { diagnose } from './doctor/diagnose.js';
import type { Screen } from './doctor/report.js';
import { findingLines, summary, title } from './doctor/report.js';
import { matching } from './arguments.js';

interface DoctorFlags {
  readonly url?: string;
  readonly path: string;
  readonly envFile?: string;
  readonly canary: boolean;
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  nest-cloud-tasks doctor                                     this machine, with the settings of this shell and .env
  nest-cloud-tasks doctor --url http://127.0.0.1:8080         also as a stranger would call the app that runs here
  nest-cloud-tasks doctor --env-file prod.env --url https://app-x.a.run.app --canary`;

export function doctorCommand(): Command {
  return new Command('doctor')
    .summary('say what is wrong with an app, and how to mend it')
    .description(
      'Checks the settings that the app would start with, and what they lead to: who may call and enqueue, the engine, keys, stores, IAM, queues. Changes nothing. Exit code 1: something failed.',
    )
    .addOption(
      new Option(
        '--url <url>',
        'a deployment, to be called as a stranger would: nobody may get to a handler',
      ).argParser(baseAddress),
    )
    .addOption(
      new Option('--path <path>', 'of a handler there')
        .argParser(matching(/^\/[\x21-\x7e]*$/, "a path such as '/tasks/example'"))
        .default('/tasks/example'),
    )
    .option(
      '--env-file <file>',
      'settings of a deployment, NAME=value each (default: .env, if there is one)',
    )
    .option(
      '--canary',
      'also send a real task to that handler, and a token, and see what becomes of them',
      false,
    )
    .option('--json', 'for programs')
    .addHelpText('after', EXAMPLES)
    .action(doctor);
}

async function doctor({ envFile, json, ...flags }: DoctorFlags): Promise<void> {
  const options = { ...flags, variables: variablesOf(process.env, envFile) };
  const all: (Finding & { section: string })[] = [];
  const screen: Screen = {
    columns: process.stdout.isTTY ? process.stdout.columns : Infinity,
    colours: process.stdout.isTTY && process.stdout.hasColors(),
  };
  for await (const { title: section, findings } of diagnose(options)) {
    all.push(...findings.map((finding) => ({ section, ...finding })));
    if (json) continue;
    const width = Math.max(...findings.map(({ about }) => about.length));
    console.log(title(section, screen));
    for (const finding of findings) {
      for (const line of findingLines(finding, width, screen)) console.log(line);
    }
    console.log('');
  }
  const isWell = all.every(({ level }) => level !== 'fail');
  console.log(json ? JSON.stringify({ ok: isWell, findings: all }, null, 2) : summary(all, screen));
  if (!isWell) process.exitCode = 1;
}

function baseAddress(text: string): string {
  const url = /^https?:$/.test(URL.parse(text)?.protocol ?? '') ? new URL(text) : undefined;
  if (!url || url.search || url.hash || url.username) {
    throw new InvalidArgumentError("Expected an address such as 'https://app.example.com'.");
  }
  return url.href.replace(/\/+$/, '');
}

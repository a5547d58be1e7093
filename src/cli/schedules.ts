/** `nest-cloud-tasks schedules`: shows what would make jobs as they are wanted, and does it. */
import { Command, Option } from 'commander';
import { CloudTasksError } from '../engine/errors.js';
import { MILLISECOND } from '../engine/time.js';
import { Calendar } from '../host/cron.js';
import type { ScheduleChange, SchedulesPlan } from '../host/schedule-changes.js';
import { applyScheduleChange, scheduleChanges } from '../host/schedule-changes.js';
import { ACCOUNT_ADDRESS } from '../foundation/account-address.js';
import { printable } from '../foundation/printable.js';
import type { WantedSchedule } from '../foundation/schedule-plan.js';
import { httpAddress, matching } from './arguments.js';
import type { BackendFlags } from './backend.js';
import { openScheduler, withBackendOptions } from './backend.js';
import { askForConsent } from './consent.js';
import type { WantedFlags } from './wanted.js';
import { wantedSchedules, withWantedOptions } from './wanted.js';

interface SchedulesFlags extends BackendFlags, WantedFlags {
  readonly serviceUrl: string;
  readonly serviceAccount: string;
  readonly audience?: string;
  readonly yes?: true;
}

/** As `terraform plan -detailed-exitcode` and others have it. */
const EXIT_CHANGES = 2;
const NEXT_RUNS = 3;

const SIGNS = { create: '+', update: '~', delete: '-', unchanged: ' ', foreign: '!' } as const;
const COUNTED = [
  ['create', 'to create'],
  ['update', 'to update'],
  ['delete', 'to delete'],
  ['unchanged', 'unchanged'],
  ['foreign', "somebody else's"],
] as const;

const EXAMPLES = `
Examples:
  nest-cloud-tasks schedules plan --backend google --project my-project --service-url https://app.example.com
  nest-cloud-tasks schedules apply --app dist/app.module.js --yes`;

export function schedulesCommand(): Command {
  return new Command('schedules')
    .summary('compare Cloud Scheduler jobs with what is wanted, and make them so')
    .description(
      "Schedules as code: those of a file and of an app's @Schedule, against the jobs that there are. A job that this made and nobody wants any more is deleted; all others stay as they are.",
    )
    .addCommand(
      schedulesOptions(new Command('plan'))
        .description(
          'Print what apply would change, and the next runs. Exit code 0: nothing; 2: something; 1: an error.',
        )
        .addHelpText('after', EXAMPLES)
        .action(plan),
    )
    .addCommand(
      schedulesOptions(new Command('apply'))
        .description('Print it, and change it. On Google only after a yes.')
        .option('--yes', 'change jobs on Google without asking')
        .addHelpText('after', EXAMPLES)
        .action(apply),
    );
}

function schedulesOptions(command: Command): Command {
  return withBackendOptions(
    withWantedOptions(command)
      .addOption(
        new Option('--service-url <url>', 'base address of the app, where ticks are sent')
          .env('SERVICE_URL')
          .argParser(httpAddress)
          .makeOptionMandatory(),
      )
      .addOption(
        new Option('--service-account <email>', 'as whom they are sent')
          .env('SERVICE_ACCOUNT')
          .argParser(
            matching(
              ACCOUNT_ADDRESS,
              "an address such as 'tasks@my-project.iam.gserviceaccount.com'",
            ),
          )
          .makeOptionMandatory(),
      )
      .addOption(
        new Option('--audience <text>', 'aud of their tokens (default: the service URL)').env(
          'OIDC_AUDIENCE',
        ),
      ),
  );
}

async function plan(flags: SchedulesFlags): Promise<void> {
  await compared(flags, async (_, __, changes) => {
    if (changes.some(isChange)) process.exitCode = EXIT_CHANGES;
  });
}

async function apply(flags: SchedulesFlags): Promise<void> {
  await compared(flags, async ({ api, isGoogle, location }, plan, changes) => {
    const wanted = changes.filter(isChange);
    if (wanted.length > 0 && isGoogle && !flags.yes) {
      const jobs = wanted.length === 1 ? 'this job' : `these ${wanted.length} jobs`;
      await askForConsent(`Change ${jobs} of ${location} on Google?`);
    }
    for (const change of wanted) {
      try {
        await applyScheduleChange(api, plan, change);
        print(`Schedule ${change.name} ${change.kind}d.`);
      } catch (error) {
        if (!(error instanceof CloudTasksError)) throw error;
        // The others go on.
        print(`Schedule ${change.name} can't be ${change.kind}d: ${error.code}: ${error.message}`);
        process.exitCode = 1;
      }
    }
    if (changes.some(({ kind }) => kind === 'foreign')) process.exitCode = 1;
  });
}

/** Prints the difference, and goes on with it. */
async function compared(
  flags: SchedulesFlags,
  use: (
    backend: Awaited<ReturnType<typeof openScheduler>>,
    plan: SchedulesPlan,
    changes: readonly ScheduleChange[],
  ) => Promise<void>,
): Promise<void> {
  const { schedules, from } = await wantedSchedules(flags);
  const { serviceUrl, serviceAccount, audience = serviceUrl } = flags;
  const backend = await openScheduler(flags);
  try {
    const { api, location, where } = backend;
    const target = { serviceUrl, serviceAccount, audience };
    const plan = { location, schedules, target, ownsLocation: false };
    const changes = await scheduleChanges(api, plan);
    print(`Schedules of ${from} in ${location}, on ${where}:`);
    for (const line of changeLines(changes)) print(line);
    print(summary(changes));
    await use(backend, plan, changes);
  } finally {
    await backend.api.close();
  }
}

function isChange({ kind }: ScheduleChange): boolean {
  return kind === 'create' || kind === 'update' || kind === 'delete';
}

/** A line a job, one for each of its fields that changes, and one for its next runs. */
function changeLines(changes: readonly ScheduleChange[]): string[] {
  const width = Math.max(0, ...changes.map(({ name }) => name.length));
  return changes.flatMap(({ name, kind, differences, wanted, isPaused }) => {
    const about =
      kind === 'foreign' ? "left as it is: a job of this name that this didn't make" : kind;
    const paused = isPaused ? ', paused: no ticks' : '';
    return [
      `${SIGNS[kind]} ${name.padEnd(width)}  ${about}${paused}`,
      ...differences.map((difference) => `    ${difference}`),
      ...(wanted ? [`    ${wanted.schedule}, next ${nextRuns(wanted).join(', ')}`] : []),
    ];
  });
}

function nextRuns({ schedule, timeZone }: WantedSchedule): string[] {
  const ticks = new Calendar().parse(schedule, timeZone);
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'short',
  });
  const runs: string[] = [];
  let at: number | undefined = Date.now() * MILLISECOND;
  while (runs.length < NEXT_RUNS && (at = ticks.next(at)) !== undefined) {
    runs.push(format.format(at / MILLISECOND));
  }
  const last = runs.pop();
  return last === undefined ? ['never'] : [...runs, `${last} (${timeZone})`];
}

/** `2 to create, 1 unchanged.` */
function summary(changes: readonly ScheduleChange[]): string {
  const counts = COUNTED.flatMap(([kind, what]) => {
    const count = changes.filter((change) => change.kind === kind).length;
    return count > 0 ? [`${count} ${what}`] : [];
  });
  return counts.length > 0 ? `${counts.join(', ')}.` : 'No schedules.';
}

function print(line: string): void {
  console.log(printable(line, Infinity));
}

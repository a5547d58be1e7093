/** What a command is to make so: the queues and schedules of a file, and the schedules of an app's code. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Calendar } from '../host/cron.js';
import type { QueuesPlan } from '../host/queues-plan.js';
import { DEFAULT_QUEUES_FILE, wantedQueuesOf } from '../host/wanted-queues.js';
import { declaredSchedules } from '../modules/tasks/routes/schedule-marks.js';
import { readSchedule } from '../foundation/schedule-form.js';
import type { WantedSchedule } from '../foundation/schedule-plan.js';

export interface WantedFlags {
  readonly file?: string;
  readonly app?: string;
}

export function withWantedOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--file <path>',
        `YAML with schedules (default: ${DEFAULT_QUEUES_FILE}, if there)`,
      ).env('QUEUES_FILE'),
    )
    .option('--app <path>', "the app's built root module, for its @Schedule: dist/app.module.js");
}

/** @throws Error with one line: nothing is named, can't be read, or is there twice */
export async function wantedSchedules({ file, app }: WantedFlags): Promise<{
  readonly schedules: readonly WantedSchedule[];
  /** As a sentence names it. */
  readonly from: string;
}> {
  const path = file ?? (existsSync(DEFAULT_QUEUES_FILE) ? DEFAULT_QUEUES_FILE : undefined);
  if (path === undefined && app === undefined) {
    throw new Error(
      `there is no ${DEFAULT_QUEUES_FILE} here: name a file of schedules by --file, or the app's module by --app`,
    );
  }
  const inFile = path === undefined ? [] : ((await wantedQueuesOf(path)).schedules ?? []);
  const inCode = app === undefined ? [] : await schedulesOfApp(app);
  const schedules = [...inFile, ...inCode];
  const taken = new Map<string, string>();
  for (const { name, at } of schedules) {
    const first = taken.get(name);
    if (first !== undefined) throw new Error(`${at}: the name ${name} is taken by ${first}`);
    taken.set(name, at);
  }
  return { schedules, from: [path, app].filter((source) => source !== undefined).join(' and ') };
}

/** @throws Error with one line where there is no such file, or what is in it can't be read */
export async function wantedQueues({
  file = DEFAULT_QUEUES_FILE,
}: WantedFlags): Promise<QueuesPlan> {
  return wantedQueuesOf(file);
}

/** Loading the code is enough: its decorators say what they have, and nothing is started. */
async function schedulesOfApp(app: string): Promise<WantedSchedule[]> {
  await import(pathToFileURL(resolve(app)).href);
  const calendar = new Calendar();
  const check = (schedule: string, timeZone: string) => void calendar.parse(schedule, timeZone);
  return declaredSchedules().map(({ controller, method, schedule, options }) => {
    const task = `${controller.name}.${method}`;
    return readSchedule({ schedule, task, options }, `@Schedule of ${task}`, check);
  });
}

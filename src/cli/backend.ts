/** Options by which a command finds the queues that it is about, and the connection to them. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { CloudSchedulerApi } from '../engine/cloud-scheduler-api.js';
import type { CloudTasksApi } from '../engine/cloud-tasks-api.js';
import { connectGoogle } from '../host/connect-google.js';
import { reachable } from '../foundation/loopback.js';
import { emulatorAddress, matching, portNumber } from './arguments.js';

const LONGEST_CONNECT_MS = 5_000;

export interface BackendFlags {
  readonly backend?: 'embedded' | 'google';
  readonly emulatorHost?: string;
  readonly host: string;
  readonly port: number;
  readonly project?: string;
  readonly location: string;
}

export interface OpenBackend<Api = CloudTasksApi> {
  readonly api: Api & { close(): Promise<void> };
  /** `projects/local/locations/us-central1` */
  readonly location: string;
  /** `the engine at 127.0.0.1:8123`, as a sentence goes on after "on". */
  readonly where: string;
  /** Google's own, where a change may cost something, and is seen by others. */
  readonly isGoogle: boolean;
}

/** The app's own variables, so that a command finds what the app of the same shell uses. */
export function withBackendOptions(command: Command): Command {
  return command
    .optionsGroup('Whose queues:')
    .addOption(
      new Option(
        '--backend <name>',
        'embedded: the engine that runs at --host and --port; google: Cloud Tasks, or --emulator-host (default: as the app decides)',
      )
        .env('TASKS_BACKEND')
        .choices(['embedded', 'google']),
    )
    .addOption(
      new Option('--emulator-host <host:port>', "a server compatible with Google's, in its place")
        .env('CLOUD_TASKS_EMULATOR_HOST')
        .argParser(emulatorAddress),
    )
    .addOption(
      new Option('--host <address>', 'where the engine listens')
        .env('ENGINE_HOST')
        .default('127.0.0.1'),
    )
    .addOption(
      new Option('--port <number>', 'its port')
        .env('ENGINE_PORT')
        .argParser(portNumber)
        .default(8123),
    )
    .addOption(
      new Option('--project <id>', "the queues' project (default: local when embedded)")
        .env('PROJECT_ID')
        .argParser(matching(/^[A-Za-z\d:.-]{1,100}$/, "a project id such as 'my-project'")),
    )
    .addOption(
      new Option('--location <id>', "the queues' location")
        .env('LOCATION')
        .argParser(matching(/^[a-z\d-]{1,63}$/, "a region such as 'us-central1'"))
        .default('us-central1'),
    );
}

/** @throws Error with one line for a person: nothing listens there, or something has to be said */
export async function openBackend(flags: BackendFlags): Promise<OpenBackend> {
  const { options, ...backend } = await backendOf(flags, 'Google Cloud Tasks');
  return { api: await connectGoogle(options), ...backend };
}

/** @throws Error as `openBackend` */
export async function openScheduler(flags: BackendFlags): Promise<OpenBackend<CloudSchedulerApi>> {
  const { options, ...backend } = await backendOf(flags, 'Google Cloud Scheduler');
  const { connectScheduler } = await import('../host/connect-scheduler.js');
  return { api: await connectScheduler(options), ...backend };
}

async function backendOf(flags: BackendFlags, google: string) {
  const { host, port, location } = flags;
  const { GOOGLE_CLOUD_PROJECT, K_SERVICE, GAE_ENV } = process.env;
  const onGoogle = flags.emulatorHost !== undefined || [K_SERVICE, GAE_ENV].some(Boolean);
  const kind = flags.backend ?? (onGoogle ? 'google' : 'embedded');
  const embedded = kind === 'embedded';
  const project = flags.project ?? (GOOGLE_CLOUD_PROJECT || (embedded ? 'local' : undefined));
  if (project === undefined) throw new Error('--project is needed with --backend google');
  const server = embedded ? `${reachable(host)}:${port}` : flags.emulatorHost;
  if (server !== undefined) await checkListening(server);
  return {
    options: server === undefined ? {} : { emulatorHost: server },
    location: `projects/${project}/locations/${location}`,
    where: server === undefined ? google : `the ${embedded ? 'engine' : 'server'} at ${server}`,
    isGoogle: server === undefined,
  };
}

/** Google's client would try for 20 s. */
async function checkListening(server: string): Promise<void> {
  const { hostname, port } = new URL(`http://${server.replace(/^http:\/\//, '')}`);
  const socket = connect(Number(port || 80), hostname.replace(/^\[(.*)\]$/, '$1'));
  socket.setTimeout(LONGEST_CONNECT_MS, () => socket.destroy(new Error('no answer')));
  try {
    await once(socket, 'connect');
  } catch (cause) {
    throw new Error(
      `nothing listens on ${server}: start the app or npx nest-cloud-tasks engine, or name another by --port, --emulator-host or --backend google`,
      { cause },
    );
  } finally {
    socket.destroy();
  }
}

/** `nest-cloud-tasks engine`: the embedded engine alone, for clients in any language. */
import { setFlagsFromString } from 'node:v8';
import { Command, Option } from 'commander';
import { SECOND } from '../engine/time.js';
import type { Duration } from '../engine/time.js';
import { applyQueues } from '../host/apply-queues.js';
import { readQueuesFile } from '../host/queues-file.js';
import { startEngine } from '../host/start-engine.js';
import { isLoopback, reachable } from '../foundation/loopback.js';
import {
  httpOrigin,
  issuer,
  matching,
  portNumber,
  serviceAddresses,
  tombstoneTtl,
} from './arguments.js';
import type { LogFormat } from './engine-log.js';
import { engineRecoverCommand } from './engine-recover.js';
import { EngineLog, LOG_FORMATS } from './engine-log.js';
import type { ClientName } from './print-client.js';
import { CLIENTS, clientLines } from './print-client.js';

interface EngineFlags {
  readonly port: number;
  readonly host: string;
  readonly allowRemote?: true;
  readonly data: string;
  readonly memory?: true;
  readonly queues?: string;
  readonly project: string;
  readonly location: string;
  readonly appEngineHost: Readonly<Record<string, string>>;
  readonly issuer?: string;
  readonly tombstoneTtl?: Duration;
  readonly strict?: true;
  readonly trustHttpOrigin: readonly string[];
  readonly log: LogFormat;
  readonly printClient?: ClientName;
  readonly testApi?: true;
}

/** Attempts in flight get this long at the end; platforms kill a process soon after 10 s. */
const DRAIN_LIMIT = 8 * SECOND;

const EXAMPLES = `
Examples:
  nest-cloud-tasks engine                                   on this machine, data in ./.data
  nest-cloud-tasks engine --memory --port 0                 for one test run
  nest-cloud-tasks engine --queues queue.yaml --app-engine-host default=http://127.0.0.1:8080
  nest-cloud-tasks engine --print-client python             how a Python program reaches it`;

export function engineCommand(): Command {
  return new Command('engine')
    .summary('run a durable, Cloud Tasks-compatible queue on this machine')
    .description(
      "Run a durable, Cloud Tasks-compatible queue on this machine, for Google's clients in any language and for gcloud: gRPC and REST on one port, no credentials needed.",
    )
    .optionsGroup('Where it listens:')
    .addOption(
      option('--port <number>', 'port of the engine, 0 for a free one', 'ENGINE_PORT')
        .argParser(portNumber)
        .default(8123),
    )
    .addOption(
      option('--host <address>', 'address to listen on', 'ENGINE_HOST').default('127.0.0.1'),
    )
    .option('--allow-remote', 'let a --host other than loopback be: whoever reaches it may use it')
    .optionsGroup('What it keeps:')
    .addOption(
      option('--data <folder>', 'where queues and tasks are kept', 'DATA_DIR').default('./.data'),
    )
    .option('--memory', 'keep nothing on disk')
    .addOption(option('--queues <file>', 'YAML file of queues to create and update', 'QUEUES_FILE'))
    .addOption(
      option('--project <id>', 'project of those queues', 'PROJECT_ID')
        .argParser(matching(/^[A-Za-z\d:.-]{1,100}$/, "a project id such as 'local'"))
        .default('local'),
    )
    .addOption(
      option('--location <id>', 'location of those queues', 'LOCATION')
        .argParser(matching(/^[a-z\d-]{1,63}$/, "a region such as 'us-central1'"))
        .default('us-central1'),
    )
    .option(
      '--tombstone-ttl <duration>',
      "how long a finished task's name stays taken, such as 10s (default: 1h)",
      tombstoneTtl,
    )
    .optionsGroup('What it calls:')
    .addOption(
      option(
        '--app-engine-host <service=url>',
        'where an App Engine service is; may be given again',
        'APP_ENGINE_HOSTS',
      )
        .argParser(serviceAddresses)
        .default({}, 'none'),
    )
    .addOption(
      option(
        '--issuer <url>',
        "`iss` of its ID tokens, the address that handlers reach it by (default: the engine's own)",
        'OIDC_ISSUER',
      ).argParser(issuer),
    )
    .addOption(
      new Option(
        '--trust-http-origin <origin>',
        'where a token may go over http, as it may to loopback; may be given again',
      )
        .argParser(httpOrigin)
        .default([], 'none'),
    )
    .addOption(
      new Option('--strict', 'refuse what production refuses, also on loopback').conflicts(
        'trustHttpOrigin',
      ),
    )
    .option('--test-api', 'let tests reset it, move its clock and break its network, on loopback')
    .optionsGroup('What it prints:')
    .addOption(
      new Option('--log <format>', 'how attempts are told').choices(LOG_FORMATS).default('text'),
    )
    .addOption(
      new Option('--print-client <name>', 'print how to point a client at it, and end').choices(
        Object.keys(CLIENTS),
      ),
    )
    .addHelpText('after', EXAMPLES)
    .addCommand(engineRecoverCommand())
    .action(run);
}

async function run(flags: EngineFlags): Promise<void> {
  const { host, port, printClient, project, location } = flags;
  if (printClient !== undefined) {
    if (port === 0) throw new Error('--print-client needs the --port that the engine listens on');
    console.log(clientLines(printClient, { host: reachable(host), port, project, location }));
    return;
  }
  if (!isLoopback(host) && !flags.allowRemote) {
    throw new Error(
      `--host ${host} lets whoever reaches this machine create tasks, and so send requests from it: add --allow-remote if that is meant`,
    );
  }
  // V8 would let the space of young objects grow with the load, and keep it: 120 MB more than the
  // engine needs, for creates that cost 4 % less.
  setFlagsFromString('--semi-space-growth-factor=1');
  const log = new EngineLog(flags.log);
  const plan = flags.queues === undefined ? undefined : readQueuesFile(flags.queues);
  const ended = whenAskedToEnd(log);
  const engine = await startEngine({
    host,
    port,
    dataDir: flags.memory ? ':memory:' : flags.data,
    strict: flags.strict ?? false,
    trustHttpOrigins: flags.trustHttpOrigin,
    testApi: flags.testApi ?? false,
    onEvent: log.event,
    ...(flags.issuer === undefined ? {} : { issuer: flags.issuer }),
    ...(flags.tombstoneTtl === undefined ? {} : { tombstoneTtl: flags.tombstoneTtl }),
  });
  try {
    log.info(`Cloud Tasks engine on ${engine.url}, ${keeping(flags)}. Ctrl-C ends it.`);
    if (plan) {
      const name = `projects/${project}/locations/${location}`;
      for (const { kind, text } of await applyQueues(engine.api, name, plan)) {
        if (kind === 'drifted' || kind === 'refused') log.warn(text);
        else log.info(text);
      }
    }
    await engine.dispatch(flags.appEngineHost);
    await ended;
    await engine.drain(DRAIN_LIMIT);
  } finally {
    await engine.close();
  }
  log.info('Ended.');
}

/** The first signal asks for an orderly end; who sends another wants none. */
function whenAskedToEnd(log: EngineLog): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (asked) process.exit(1);
        asked = true;
        log.info(
          `Ending on ${signal}: attempts in flight get up to 8 s, another signal ends it at once.`,
        );
        resolve();
      });
    }
  });
}

function option(flags: string, description: string, variable: string): Option {
  return new Option(flags, description).env(variable);
}

function keeping({ memory, data }: EngineFlags): string {
  return memory ? 'keeping nothing' : `keeping its data in ${data}`;
}

/** `nest-cloud-tasks engine`: the embedded engine alone, for clients in any language. */
import { once } from 'node:events';
import { Command, InvalidArgumentError } from 'commander';
import { SECOND } from '../engine/time.js';
import { startEngine } from '../host/start-engine.js';

interface EngineFlags {
  readonly port: number;
  readonly host: string;
  readonly data: string;
  readonly memory?: true;
  readonly appEngineHost: Readonly<Record<string, string>>;
  readonly strict?: true;
}

export function engineCommand(): Command {
  return new Command('engine')
    .description('Run a durable, Cloud Tasks-compatible queue on this machine.')
    .option('--port <number>', 'port of the engine, 0 for a free one', portNumber, 8123)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--data <folder>', 'where queues and tasks are kept', './.data')
    .option('--memory', 'keep nothing on disk')
    .option(
      '--app-engine-host <service=url>',
      'where an App Engine service is; may be given again',
      serviceAddress,
      {},
    )
    .option('--strict', 'refuse what production refuses, also on loopback')
    .action(run);
}

async function run(flags: EngineFlags): Promise<void> {
  const engine = await startEngine({
    host: flags.host,
    port: flags.port,
    dataDir: flags.memory ? ':memory:' : flags.data,
    strict: flags.strict ?? false,
  });
  await engine.dispatch(flags.appEngineHost);
  console.log(`Cloud Tasks engine on ${engine.url}, ${keeping(flags)}. Ctrl-C ends it.`);
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  await engine.drain(8 * SECOND);
  await engine.close();
}

function keeping({ memory, data }: EngineFlags): string {
  return memory ? 'keeping nothing' : `keeping its data in ${data}`;
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new InvalidArgumentError('Expected a number from 0 to 65535.');
  }
  return port;
}

function serviceAddress(
  text: string,
  before: Readonly<Record<string, string>>,
): Record<string, string> {
  const [service, url] = text.split(/=(.*)/s);
  if (!service || !url) throw new InvalidArgumentError("Expected 'service=http://127.0.0.1:8080'.");
  return { ...before, [service]: url };
}

/** The process: settings, the app, its port, and an orderly end. */
import { NestFactory } from '@nestjs/core';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AppModule, currentTask } from './app.module.js';
import { AppServer } from './app/app-server.js';
import type { Settings } from './config.js';
import { settings } from './config.js';
import { AppLogger } from './app/logger.js';
import { QueueBackend } from './modules/cloud-tasks/queue-backend.js';
import { Readiness } from './modules/health/readiness.js';
import { platformOf } from './foundation/platform.js';
import { startProblem } from './app/start-problem.js';

/** Platforms kill a process 10 s after they asked it to end, App Engine after 2 s. */
const LONGEST_END = platformOf()?.startsWith('app-engine') ? 1_800 : 9_500;

async function main(): Promise<void> {
  const logger = await AppLogger.create({
    pretty: process.stdout.isTTY,
    // Node's own answer minds NO_COLOR and dumb terminals.
    colors: process.stdout.isTTY && process.stdout.hasColors(),
    about: currentTask,
  });
  const app = await NestFactory.create(AppModule, new AppServer(), {
    // Each route takes in its body as it needs it.
    bodyParser: false,
    // What is told of a start that fails is one line.
    abortOnError: false,
    bufferLogs: true,
    autoFlushLogs: false,
  });
  app.useLogger(logger);
  const { host, port, backend } = app.get<Settings>(settings.KEY);
  const server = (await app.listen(port, host)) as Server;
  app.flushLogs();

  let stopping = false;
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    if (stopping) process.exit(1);
    stopping = true;
    logger.log(`Stopping on ${signal}: tasks in flight get their time.`, 'App');
    app.get(Readiness).drain();
    setTimeout(() => {
      logger.warn('Stopped before all was done: what is left is delivered again.', 'App');
      process.exit(0);
    }, LONGEST_END).unref();
    await app.close();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, (name) => void stop(name));
  }
  process.on('uncaughtException', (error) => {
    logger.fatal(error, 'App');
    process.exit(1);
  });

  const url = addressOf(server);
  if (backend.kind === 'google') {
    logger.log(`Listening on ${url}`, 'App');
  } else {
    const engine = new URL(app.get(QueueBackend).proof.jwksUrl).origin;
    logger.log(`Listening on ${url}, the engine on ${engine}, data in ${backend.dataDir}`, 'App');
    invite(url);
  }
}

function addressOf(server: Server): string {
  const { address, port, family } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/** Lines to paste; on stderr, since JSON on stdout would escape their quotes. */
function invite(url: string): void {
  const curl = (body: string) =>
    `  curl -X POST ${url}/add_task_app_engine -H 'Content-Type: application/json' -d '${body}'\n`;
  process.stderr.write(
    `\nTry it; the task's own log line comes out here:\n${curl('{"payload": "Hello"}')}${curl(
      '{"payload": {"hello": "later"}, "relativeUri": "/event-display", "countdown": "5s"}',
    )}\n`,
  );
}

main().catch((error: unknown) => {
  process.stderr.write(`nest-cloud-tasks: ${startProblem(error)}\n`);
  process.exit(1);
});

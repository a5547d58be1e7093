/** Real Nest apps on loopback, with a real engine that keeps its tasks in memory. */
import type { INestApplication, LoggerService, ModuleMetadata, Type } from '@nestjs/common';
import { Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { fileURLToPath } from 'node:url';
import { TasksModule } from '../../src/modules/tasks/tasks.module.js';
import type { TasksModuleOptions } from '../../src/modules/tasks/module-options.js';

/** In place of the deployed app's own, which is in the working directory. */
const NO_QUEUES = fileURLToPath(new URL('./no-queues.yaml', import.meta.url));

export const EMBEDDED = {
  backend: 'embedded',
  engine: { dataDir: ':memory:', port: 0, thread: 'same' },
} satisfies TasksModuleOptions;

/** What was logged, a line each; nothing of it is printed. */
export class RecordedLog implements LoggerService {
  readonly lines: string[] = [];
  private readonly awaited = new Set<(line: string) => void>();
  readonly log = (...parts: unknown[]) => {
    const line = parts.join(' ');
    this.lines.push(line);
    this.awaited.forEach((check) => check(line));
  };
  readonly error = this.log;
  readonly warn = this.log;
  readonly debug = this.log;
  readonly verbose = this.log;

  /** The first line from now on that matches. */
  line(pattern: RegExp): Promise<string> {
    return new Promise((resolve) => {
      const check = (line: string) => {
        if (!pattern.test(line)) return;
        this.awaited.delete(check);
        resolve(line);
      };
      this.awaited.add(check);
    });
  }

  get text(): string {
    return this.lines.join('\n');
  }
}

export interface TestApp {
  readonly app: INestApplication;
  readonly url: string;
  readonly log: RecordedLog;
}

const running: INestApplication[] = [];

/** An app of these parts that has not been initialised yet. */
export async function makeApp(
  { controllers = [], ...parts }: ModuleMetadata & { features?: Type<object>[] },
  options: TasksModuleOptions = EMBEDDED,
  log = new RecordedLog(),
): Promise<INestApplication> {
  const { features = controllers, ...metadata } = parts;
  @Module({
    ...metadata,
    controllers,
    imports: [
      TasksModule.forRoot({ queuesFile: NO_QUEUES, ...options }),
      TasksModule.forFeature(features),
      ...(metadata.imports ?? []),
    ],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: log, abortOnError: false });
  running.push(app);
  return app;
}

/** The same, listening on a free port. */
export async function startApp(
  parts: Parameters<typeof makeApp>[0],
  options: TasksModuleOptions = EMBEDDED,
  prepare: (app: INestApplication) => void = () => undefined,
): Promise<TestApp> {
  const log = new RecordedLog();
  const app = await makeApp(parts, options, log);
  prepare(app);
  await app.listen(0, '127.0.0.1');
  return { app, url: await app.getUrl(), log };
}

export async function closeApps(): Promise<void> {
  await Promise.all(running.splice(0).map((app) => app.close()));
  Logger.overrideLogger(false);
}

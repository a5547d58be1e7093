/** The whole app in this process: a real server on loopback, the engine in memory. */
import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { request } from 'undici';
import { AppModule, currentTask } from '../../src/app.module.js';
import type { ServerLimits } from '../../src/app/app-server.js';
import { AppServer } from '../../src/app/app-server.js';
import type { Settings } from '../../src/config.js';
import { readSettings, settings } from '../../src/config.js';
import type { CloudTasksApi, Task } from '../../src/engine/cloud-tasks-api.js';
import type { Clock } from '../../src/engine/ports.js';
import { SystemClock } from '../../src/host/system-clock.js';
import { AppLogger } from '../../src/app/logger.js';
import { CLOCK, CLOUD_TASKS, QueueBackend } from '../../src/modules/cloud-tasks/queue-backend.js';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body, when it is JSON. */
  readonly json: unknown;
}

export class TestApp {
  private constructor(
    readonly app: INestApplication,
    readonly url: string,
    /** What was logged, parsed. */
    readonly lines: Record<string, unknown>[],
    private readonly waiting: (() => void)[],
  ) {}

  static async start(
    variables: Readonly<Record<string, string>> = {},
    limits: Partial<ServerLimits> = {},
    changes: Partial<Settings> = {},
    more: ModuleMetadata = {},
    clock: Clock = new SystemClock(),
  ): Promise<TestApp> {
    const lines: Record<string, unknown>[] = [];
    const waiting: (() => void)[] = [];
    const write = (line: string) => {
      lines.push(JSON.parse(line) as Record<string, unknown>);
      for (const check of [...waiting]) check();
    };
    const read = readSettings({ DATA_DIR: ':memory:', ENGINE_PORT: '0', PORT: '0', ...variables });
    const module = await Test.createTestingModule({
      ...more,
      imports: [AppModule, ...(more.imports ?? [])],
    })
      .overrideProvider(settings.KEY)
      .useValue({ ...read, ...changes, backend: { ...read.backend, thread: 'same' } })
      .overrideProvider(CLOCK)
      .useValue(clock)
      .compile();
    const app = module.createNestApplication(new AppServer(limits), { bodyParser: false });
    app.useLogger(await AppLogger.create({ pretty: false, stream: { write }, about: currentTask }));
    await app.listen(0, '127.0.0.1');
    return new TestApp(app, await app.getUrl(), lines, waiting);
  }

  get api(): CloudTasksApi {
    return this.app.get<CloudTasksApi>(CLOUD_TASKS);
  }

  get engineUrl(): string {
    return new URL(this.app.get(QueueBackend).proof.jwksUrl).origin;
  }

  queueName(id = 'default'): string {
    return this.app.get(QueueBackend).queueName(id);
  }

  /** Every task of a queue, bodies included. */
  async tasks(queue = 'default'): Promise<Task[]> {
    const { tasks } = await this.api.listTasks({
      parent: this.queueName(queue),
      responseView: 'FULL',
    });
    return tasks;
  }

  /** Sends exactly this; an object goes as JSON. */
  async send(
    method: string,
    path: string,
    body?: string | Uint8Array | object,
    headers: Readonly<Record<string, string>> = { 'content-type': 'application/json' },
  ): Promise<Answer> {
    const isJson = typeof body === 'object' && !(body instanceof Uint8Array);
    const response = await request(`${this.url}${path}`, {
      method: method as 'POST',
      headers,
      body: isJson ? JSON.stringify(body) : (body ?? null),
    });
    const text = await response.body.text();
    const isJsonAnswer = String(response.headers['content-type']).startsWith('application/json');
    const json: unknown = isJsonAnswer && text !== '' ? JSON.parse(text) : undefined;
    return { status: response.statusCode, headers: response.headers, text, json };
  }

  /** Resolves with the first line, past ones included, that has such a message. */
  logged(message: RegExp | string): Promise<Record<string, unknown>> {
    return new Promise((resolve) => {
      const check = () => {
        const found = this.lines.find(({ message: text }) =>
          typeof message === 'string' ? text === message : message.test(String(text)),
        );
        if (!found) return;
        this.waiting.splice(this.waiting.indexOf(check), 1);
        resolve(found);
      };
      this.waiting.push(check);
      check();
    });
  }

  close(): Promise<void> {
    return this.app.close();
  }
}

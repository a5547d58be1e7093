/** An app with a relay, and a target that does as it is told: both real, on loopback. */
import type { INestApplication } from '@nestjs/common';
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { CloudTasksApi, Task } from '../../../src/engine/cloud-tasks-api.js';
import { CLOUD_TASKS, QueueBackend } from '../../../src/modules/cloud-tasks/queue-backend.js';
import { Relay } from '../../../src/modules/relay/relay.js';
import type { RelayModuleOptions } from '../../../src/modules/relay/relay-options.js';
import { RelayModule } from '../../../src/modules/relay/relay.module.js';
import type { TasksModuleOptions } from '../../../src/modules/tasks/module-options.js';
import type { OutboundRule } from '../../../src/outbound/outbound-rule.js';
import { Loopback } from '../../support/loopback.js';
import { EMBEDDED, startApp } from '../../support/tasks-app.js';
import type { RecordedLog } from '../../support/tasks-app.js';

/** A request as the target got it. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export class Target {
  readonly seen: Seen[] = [];
  private readonly loopback = new Loopback();
  private readonly waiting = new Set<() => void>();
  url = '';

  /** @param answer called with each request, when all of it has come */
  static async start(
    answer: (seen: Seen) => void = ({ response }) => response.end('done'),
  ): Promise<Target> {
    const target = new Target();
    target.answer = answer;
    target.url = await target.loopback.http((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const { method = '', url: path = '', headers, rawHeaders } = request;
        const body = Buffer.concat(parts);
        const seen = { method, path, headers, rawHeaders, body, request, response };
        target.seen.push(seen);
        target.answer(seen);
        for (const look of target.waiting) look();
      });
    });
    return target;
  }

  answer: (seen: Seen) => void = () => undefined;

  /** Resolves once so many requests have come. */
  async count(wanted: number): Promise<Seen[]> {
    await new Promise<void>((resolve) => {
      const look = () => {
        if (this.seen.length < wanted) return;
        this.waiting.delete(look);
        resolve();
      };
      this.waiting.add(look);
      look();
    });
    return this.seen;
  }

  close(): Promise<void> {
    return this.loopback.close();
  }
}

export interface RelayApp {
  readonly app: INestApplication;
  readonly url: string;
  readonly log: RecordedLog;
  readonly relay: Relay;
  readonly api: CloudTasksApi;
  tasks(queue?: string): Promise<Task[]>;
}

export async function startRelay(
  rules: readonly OutboundRule[],
  options: Partial<RelayModuleOptions> = {},
  tasks: Partial<TasksModuleOptions> = {},
): Promise<RelayApp> {
  const { app, url, log } = await startApp(
    { imports: [RelayModule.forRoot({ rules, loopback: 'by-rule', ...options })] },
    { ...EMBEDDED, ...tasks } as TasksModuleOptions,
  );
  const api = app.get<CloudTasksApi>(CLOUD_TASKS);
  const backend = app.get(QueueBackend);
  return {
    app,
    url,
    log,
    relay: app.get(Relay),
    api,
    tasks: async (queue = 'default') => {
      const parent = backend.queueName(queue);
      return (await api.listTasks({ parent, responseView: 'FULL' })).tasks;
    },
  };
}

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

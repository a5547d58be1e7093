/** An app with a relay, and a target that does as it is told: both real, on loopback. */
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { request } from 'undici';
import type { CloudTasksApi, Task } from '../../../src/engine/cloud-tasks-api.js';
import type { EngineEvent } from '../../../src/engine/ports.js';
import { CLOUD_TASKS, QueueBackend } from '../../../src/modules/cloud-tasks/queue-backend.js';
import type { RelayRequest } from '../../../src/modules/relay/relay.js';
import { Relay } from '../../../src/modules/relay/relay.js';
import type { RelayModuleOptions } from '../../../src/modules/relay/relay-options.js';
import { RelayModule } from '../../../src/modules/relay/relay.module.js';
import type { TasksModuleOptions } from '../../../src/modules/tasks/module-options.js';
import { TasksModule } from '../../../src/modules/tasks/tasks.module.js';
import type { OutboundRule } from '../../../src/outbound/outbound-rule.js';
import { TasksTestbed } from '../../../src/testing/tasks-testbed.js';
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
  queueName(id?: string): string;
  /** Resolves once the engine has settled its next attempt. */
  attempt(): Promise<{ readonly status?: number }>;
}

export async function startRelay(
  rules: readonly OutboundRule[],
  options: Partial<RelayModuleOptions> = {},
  tasks: Partial<TasksModuleOptions> = {},
): Promise<RelayApp> {
  let over: ((result: { readonly status?: number }) => void)[] = [];
  const onEvent = (event: EngineEvent) => {
    if (event.type !== 'attempt') return;
    const ended = over;
    over = [];
    ended.forEach((tell) => tell('status' in event.result ? event.result : {}));
  };
  const { app, url, log } = await startApp(
    { imports: [RelayModule.forRoot({ rules, loopback: 'by-rule', ...options })] },
    { ...EMBEDDED, engine: { ...EMBEDDED.engine, onEvent }, ...tasks },
  );
  const api = app.get<CloudTasksApi>(CLOUD_TASKS);
  const backend = app.get(QueueBackend);
  const queueName = (id = 'default') => backend.queueName(id);
  return {
    queueName,
    attempt: () => new Promise((resolve) => over.push(resolve)),
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

/** A relay that may call this target, where time is virtual. */
export function virtualRelay(target: Target): Promise<TasksTestbed> {
  const rules = [{ origin: target.url }];
  const imports = [
    TasksModule.forRoot(EMBEDDED),
    RelayModule.forRoot({ rules, loopback: 'by-rule' }),
  ];
  return TasksTestbed.create(Test.createTestingModule({ imports }), { patience: '1s' });
}

export interface DeliverOptions {
  /** Attempts before this one. */
  readonly attempt?: number;
  readonly task?: string;
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The body of the task that the relay makes of a call. */
export async function taskBody(app: RelayApp, call: RelayRequest): Promise<string> {
  const { name } = await app.relay.call(call);
  const task = await app.api.getTask({ name, responseView: 'FULL' });
  return Buffer.from(task.httpRequest?.body ?? '').toString();
}

/** A task that somebody else has made for the relay, by gcloud say; resolves with its answer. */
export async function handmade(
  app: RelayApp,
  body: string | Uint8Array,
): Promise<number | undefined> {
  const over = app.attempt();
  await app.api.createTask({
    parent: app.queueName(),
    task: {
      httpRequest: {
        url: `${app.url}/relay`,
        httpMethod: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
        oidcToken: { serviceAccountEmail: 'tasks@local', audience: app.url },
      },
    },
  });
  return (await over).status;
}

/** Delivers a task of this body as the queue does, without the queue. */
export async function deliver(
  app: RelayApp,
  body: string | Uint8Array,
  { attempt = 0, task = 'by-hand', deadlineMs = 600_000, signal, headers }: DeliverOptions = {},
): Promise<{ status: number; headers: IncomingHttpHeaders; text: string }> {
  const token = await app.app
    .get(QueueBackend)
    .idToken({ email: 'tasks@local', audience: app.url });
  const response = await request(`${app.url}/relay`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'x-cloudtasks-queuename': 'default',
      'x-cloudtasks-taskname': task,
      'x-cloudtasks-taskretrycount': String(attempt),
      'x-tasks-deadline': String(deadlineMs),
      ...headers,
    },
    body,
    headersTimeout: 0,
    bodyTimeout: 0,
    ...(signal ? { signal } : {}),
  });
  const text = await response.body.text();
  return { status: response.statusCode, headers: response.headers, text };
}

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

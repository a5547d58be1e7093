/** The whole app, with handlers of its own and an issuer of tokens, for whoever wants to get in. */
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { Body, Controller, HttpCode, Post, UseGuards } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import type { ServerLimits } from '../../src/app/app-server.js';
import type { Settings } from '../../src/config.js';
import type { Task as CreatedTask } from '../../src/engine/cloud-tasks-api.js';
import { SIGNATURE_HEADER, signedText } from '../../src/engine/dispatch-signature.js';
import type { Clock } from '../../src/engine/ports.js';
import { SECOND } from '../../src/engine/time.js';
import type { RunningEngine } from '../../src/host/start-engine.js';
import { startEngine } from '../../src/host/start-engine.js';
import { SystemClock } from '../../src/host/system-clock.js';
import { AllowServiceAccounts } from '../../src/modules/auth/allowed-accounts.js';
import type { AuthMode } from '../../src/modules/auth/auth-options.js';
import { TaskGuard } from '../../src/modules/auth/task-guard.js';
import { makeKey } from '../../src/modules/producer/api-key.js';
import { writeKeyFile } from '../../src/modules/producer/key-file.js';
import { Task, TaskController } from '../../src/modules/tasks/task-decorators.js';
import { Loopback } from '../support/loopback.js';
import type { Answer } from '../support/test-app.js';
import { TestApp } from '../support/test-app.js';
import type { Claims } from '../support/test-issuer.js';
import { ACCOUNT, AUDIENCE, encode, TestIssuer } from '../support/test-issuer.js';

export { ACCOUNT, AUDIENCE };
export const CRON_ACCOUNT = 'cron@project.iam.gserviceaccount.com';
export const PRODUCER_AUDIENCE = 'https://enqueue.example.com';
export const PRODUCER_ACCOUNT = 'caller@project.iam.gserviceaccount.com';
const ENGINE_SECRET = 'secret-of-the-abused-engine-0123456789';

/** Every route that takes tasks alone: those below, and the app's own. */
export const TASK_ROUTES = [
  '/abuse/work',
  '/abuse/plain',
  '/abuse/nightly',
  '/abuse/ordinary',
  '/tasks/example',
  '/event-display',
] as const;

/** Header lines in order, so that a name may come twice. */
export type HeaderLines = readonly (readonly [name: string, value: string])[];

export interface AbusedOptions {
  /** Default `oidc`. */
  readonly mode?: AuthMode;
  /** Who may enqueue. Default `api-key`. */
  readonly producer?: 'none' | 'api-key' | 'oidc' | 'iap';
  /** More settings, by variable; they win. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly limits?: Partial<ServerLimits>;
  /** What no variable sets; it wins. */
  readonly changes?: Partial<Settings>;
  /** What stands before a Cloud Run service answers everybody; `open` lets them in. Default 403. */
  readonly frontEnd?: number | 'open';
  /** Tokens are good, and kept keys grow old, by this one. Default: the system's. */
  readonly clock?: Clock;
  /** Before the app starts. */
  readonly prepare?: (issuer: TestIssuer) => void;
}

const running = new Set<AbusedApp>();

export class AbusedApp {
  /** Bodies that a handler of `/abuse` was called with. */
  readonly handled: unknown[] = [];
  /** Every route of the app whose guards let a request through, as `Class.method`. */
  readonly reached: string[] = [];
  /** A good API key, where the producer takes them. */
  apiKey: string;
  readonly issuer: TestIssuer;
  private readonly folder = mkdtempSync(join(tmpdir(), 'abused-'));
  private readonly loopback = new Loopback();
  private engine: RunningEngine | undefined;
  private started: TestApp | undefined;
  private readonly listening = Promise.withResolvers<string>();
  private pool: Pool | undefined;

  private constructor(
    readonly mode: AuthMode,
    private readonly producer: AbusedOptions['producer'] = 'api-key',
    private readonly clock: Clock = new SystemClock(),
    issuer: TestIssuer,
  ) {
    this.issuer = issuer;
    const about = { client: 'abused', external: true, rate: 60_000 };
    const { key, record } = makeKey(about, new Date());
    this.apiKey = key;
    writeKeyFile(this.keysFile, new Map([[record.id, record]]));
  }

  /**
   * Tasks that it enqueues stay where they are: nothing is dispatched but in mode `local`, whose
   * queue `default` is paused.
   */
  static async start(options: AbusedOptions = {}): Promise<AbusedApp> {
    const { mode = 'oidc', producer, clock, limits, changes, frontEnd = 403 } = options;
    const abused = new AbusedApp(mode, producer, clock, await TestIssuer.start());
    options.prepare?.(abused.issuer);
    try {
      const variables = { ...(await abused.variables(frontEnd)), ...options.variables };
      await abused.startApp(variables, limits, changes);
      running.add(abused);
      return abused;
    } catch (error) {
      await abused.close();
      throw error;
    }
  }

  /** What is kept of API keys; the app reads it again now and then. */
  get keysFile(): string {
    return join(this.folder, 'keys.json');
  }

  get app(): TestApp {
    if (!this.started) throw new Error('The app has not started.');
    return this.started;
  }

  get url(): string {
    return this.app.url;
  }

  /**
   * All that was logged since the last `takeLog`, a JSON line each: by every abused app that runs,
   * since Nest's loggers all write to the one of the app that was started last.
   */
  get log(): string {
    const lines = [...running].flatMap(({ started }) => started?.lines ?? []);
    return lines.map((line) => JSON.stringify(line)).join('\n');
  }

  takeLog(): string {
    const { log } = this;
    for (const { started } of running) if (started) started.lines.length = 0;
    return log;
  }

  /** What has been enqueued. */
  tasks(queue?: string): Promise<CreatedTask[]> {
    return this.app.tasks(queue);
  }

  /** In whole seconds, as tokens have it. */
  get now(): number {
    return Math.floor(this.clock.now() / SECOND);
  }

  /** Claims of a token that handlers accept now. */
  claims(changes: Claims = {}): Claims {
    return this.issuer.claims(this.now, changes);
  }

  token(changes: Claims = {}, header: Claims = {}): string {
    return this.issuer.first.sign(this.claims(changes), header);
  }

  /** The same as Cloud Run hands it on. */
  unsigned(changes: Claims = {}, marker = 'SIGNATURE_REMOVED_BY_GOOGLE'): string {
    const head = encode({ alg: 'RS256', kid: 'key-1', typ: 'JWT' });
    return `${head}.${encode(this.claims(changes))}.${marker}`;
  }

  /** Headers with which a request to this route is a task of the queue `default`. */
  credentials(path: string = TASK_ROUTES[0], method = 'POST'): HeaderLines {
    const task = [
      ['X-AppEngine-QueueName', 'default'],
      ['X-AppEngine-TaskName', 'task-1'],
    ] as const;
    switch (this.mode) {
      case 'oidc':
        return [['Authorization', `Bearer ${this.token()}`]];
      case 'cloud-run-iam':
        return [['Authorization', `Bearer ${this.unsigned()}`]];
      case 'appengine':
        return task;
      case 'local': {
        const values = new Map<string, string>(task);
        const header = (name: string) => values.get(name);
        const text = signedText({ method, relativeUri: path, header });
        const mac = createHmac('sha256', ENGINE_SECRET).update(text).digest('hex');
        return [...task, [SIGNATURE_HEADER, `v1=${mac}`]];
      }
    }
  }

  /** Headers with which a request may enqueue. */
  producerCredentials(): HeaderLines {
    const claims = { aud: PRODUCER_AUDIENCE, email: PRODUCER_ACCOUNT };
    switch (this.producer) {
      case 'oidc':
        return [['Authorization', `Bearer ${this.token(claims)}`]];
      case 'iap':
        return [['X-Goog-IAP-JWT-Assertion', this.assertion()]];
      case 'none':
        return [];
      default:
        return [['X-API-Key', this.apiKey]];
    }
  }

  /** Of Identity-Aware Proxy. */
  assertion(changes: Claims = {}, header: Claims = {}): string {
    const claims = {
      ...this.claims({ aud: PRODUCER_AUDIENCE, email: PRODUCER_ACCOUNT, exp: this.now + 600 }),
      iss: 'https://cloud.google.com/iap',
    };
    return this.issuer.proxy.sign({ ...claims, ...changes }, header);
  }

  /** Sends these headers as they are; the type is JSON unless they name another. */
  async send(
    path: string,
    headers: HeaderLines = [],
    body: string | Uint8Array = '{"made":"up"}',
    method = 'POST',
  ): Promise<Answer> {
    const hasType = headers.some(([name]) => name.toLowerCase() === 'content-type');
    const lines = hasType ? headers : [...headers, ['Content-Type', 'application/json'] as const];
    this.pool ??= new Pool(this.url, { connections: 32 });
    const response = await this.pool.request({
      method: method,
      path,
      headers: lines.flat(),
      body: method === 'GET' || method === 'HEAD' ? null : body,
    });
    const text = await response.body.text();
    const isJson = String(response.headers['content-type']).startsWith('application/json');
    const json: unknown = isJson && text !== '' ? JSON.parse(text) : undefined;
    return { status: response.statusCode, headers: response.headers, text, json };
  }

  /** Writes these bytes to a connection of their own; resolves with all that comes back. */
  raw(bytes: string | Uint8Array): Promise<string> {
    const { hostname, port } = new URL(this.url);
    const socket = connect(Number(port), hostname);
    let answer = '';
    socket.setEncoding('latin1').on('data', (part: string) => (answer += part));
    // A server that closes with bytes unread resets the connection; what it said came before.
    socket.on('error', () => undefined);
    if (typeof bytes === 'string') socket.write(bytes, 'latin1');
    else socket.write(bytes);
    return new Promise((resolve) => {
      socket.on('close', () => resolve(answer));
    });
  }

  async close(): Promise<void> {
    running.delete(this);
    await this.pool?.close();
    await this.started?.close();
    await this.engine?.close();
    await this.loopback.close();
    await this.issuer.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async variables(frontEnd: number | 'open'): Promise<Record<string, string>> {
    const own = { ...this.producerVariables(), QUEUE_NAME: 'default' };
    if (this.mode === 'local') return { ...own, ENGINE_SECRET };
    this.engine = await startEngine({ dataDir: ':memory:', port: 0 });
    const parent = 'projects/demo/locations/us-central1';
    await this.engine.api.createQueue({ parent, queue: { name: `${parent}/queues/default` } });
    return {
      ...own,
      TASKS_BACKEND: 'google',
      DATA_DIR: '',
      ENGINE_PORT: '',
      CLOUD_TASKS_EMULATOR_HOST: new URL(this.engine.url).host,
      PROJECT_ID: 'demo',
      SERVICE_URL: this.mode === 'cloud-run-iam' ? await this.door(frontEnd) : AUDIENCE,
      SERVICE_ACCOUNT: ACCOUNT,
      OIDC_AUDIENCE: AUDIENCE,
      OIDC_ISSUER: this.issuer.url,
      AUTH_MODE: this.mode,
      ...(this.mode === 'cloud-run-iam' ? { K_SERVICE: 'abused' } : {}),
      ...(this.mode === 'appengine' ? { GAE_ENV: 'standard' } : {}),
    };
  }

  /** Where the service's address leads. */
  private door(frontEnd: number | 'open'): Promise<string> {
    return this.loopback.http((request, response) => {
      if (frontEnd !== 'open') {
        response.writeHead(frontEnd).end('<html>Forbidden');
        return;
      }
      const { headers, method = '', url = '' } = request;
      // A request waits until the app listens.
      void this.listening.promise.then((app) => {
        const onward = httpRequest(app + url, { method, headers, agent: false }, (answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        });
        request.pipe(onward);
      });
    });
  }

  private producerVariables(): Record<string, string> {
    switch (this.producer) {
      case 'none':
        return { PRODUCER_AUTH: 'none', HOST: '127.0.0.1' };
      case 'oidc':
        return {
          PRODUCER_AUTH: 'oidc',
          PRODUCER_AUDIENCE,
          PRODUCER_ACCOUNTS: PRODUCER_ACCOUNT,
          PRODUCER_ISSUER: this.issuer.url,
        };
      case 'iap':
        return { PRODUCER_AUTH: 'iap', PRODUCER_AUDIENCE, PRODUCER_ACCOUNTS: PRODUCER_ACCOUNT };
      default:
        return {
          PRODUCER_AUTH: 'api-key',
          PRODUCER_KEYS_FILE: this.keysFile,
        };
    }
  }

  private async startApp(
    variables: Readonly<Record<string, string>>,
    limits: Partial<ServerLimits> = {},
    changes: Partial<Settings> = {},
  ): Promise<void> {
    const controllers = handlersThatNote((body) => this.handled.push(body));
    const note = (route: string) => this.reached.push(route);
    const interceptor = { provide: APP_INTERCEPTOR, useValue: new Noting(note) };
    const audience = PRODUCER_AUDIENCE;
    const keysUrl = this.issuer.proxyKeysUrl;
    const accounts = [PRODUCER_ACCOUNT];
    // Google's own keys are not for tests.
    const iap =
      this.producer === 'iap'
        ? { producer: { kind: 'iap', audience, accounts, keysUrl } as const }
        : {};
    this.started = await onPlatform(variables, () =>
      TestApp.start(
        variables,
        limits,
        { ...iap, ...changes },
        { controllers, providers: [interceptor] },
        this.clock,
      ),
    );
    this.listening.resolve(this.url);
    // Otherwise its own engine would deliver what is enqueued.
    if (this.mode === 'local') await this.app.api.pauseQueue({ name: this.app.queueName() });
  }
}

/** Guards look at the process while they are made, and at nothing else, for where it runs. */
async function onPlatform<Result>(
  { K_SERVICE, GAE_ENV }: Readonly<Record<string, string>>,
  start: () => Promise<Result>,
): Promise<Result> {
  if (K_SERVICE) process.env['K_SERVICE'] = K_SERVICE;
  if (GAE_ENV) process.env['GAE_ENV'] = GAE_ENV;
  try {
    return await start();
  } finally {
    delete process.env['K_SERVICE'];
    delete process.env['GAE_ENV'];
  }
}

class Noting implements NestInterceptor {
  constructor(private readonly note: (route: string) => void) {}

  intercept(context: ExecutionContext, next: CallHandler) {
    this.note(`${context.getClass().name}.${context.getHandler().name}`);
    return next.handle();
  }
}

/** Classes of each app's own: what they note is that app's. */
function handlersThatNote(note: (body: unknown) => void) {
  @TaskController('abuse')
  class Handlers {
    @Task('work')
    work(@Body() body: unknown): void {
      note(body);
    }

    /** An ordinary route of a task controller. */
    @Post('plain')
    @HttpCode(200)
    plain(@Body() body: unknown): void {
      note(body);
    }

    @Task('nightly')
    @AllowServiceAccounts(CRON_ACCOUNT)
    nightly(@Body() body: unknown): void {
      note(body);
    }
  }

  @Controller('abuse')
  class Ordinary {
    @Post('ordinary')
    @HttpCode(200)
    @UseGuards(TaskGuard)
    ordinary(@Body() body: unknown): void {
      note(body);
    }
  }

  return [Handlers, Ordinary];
}

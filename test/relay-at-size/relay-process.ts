/** Starts `relay-child.mjs`, asks it, and ends it in any way. */
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { RelayModuleOptions } from '../../src/modules/relay/relay-options.js';
import type { RelayRef, RelayRequest } from '../../src/modules/relay/relay.js';
import type { RelayRecord } from '../../src/modules/relay/relay-status.js';
import type { TasksModuleOptions } from '../../src/modules/tasks/module-options.js';
import type { TaskOptions } from '../../src/modules/tasks/task-options.js';

export interface ProcessOptions {
  readonly tasks: TasksModuleOptions;
  readonly relay: RelayModuleOptions;
  /** Default: a free one. */
  readonly port?: number;
  /** Of Node. */
  readonly flags?: readonly string[];
  /** Beside those of this process. */
  readonly variables?: NodeJS.ProcessEnv;
}

export interface Stats {
  readonly rss: number;
  readonly heapUsed: number;
  /** Of the event loop, in milliseconds. */
  readonly p99: number;
  readonly files: number;
}

export interface EnqueuedCall {
  readonly request: RelayRequest;
  readonly options?: TaskOptions;
}

interface Message {
  readonly id?: number;
  readonly url?: string;
  readonly value?: unknown;
  readonly error?: string;
}

export class RelayProcess {
  private readonly waiting = new Map<number, PromiseWithResolvers<unknown>>();
  private next = 0;

  private constructor(
    readonly child: ChildProcess,
    readonly url: string,
  ) {
    child.on('message', ({ id = -1, value, error }: Message) => {
      const asked = this.waiting.get(id);
      this.waiting.delete(id);
      if (error === undefined) asked?.resolve(value);
      else asked?.reject(new Error(error));
    });
  }

  static async start({
    tasks,
    relay,
    port,
    flags = [],
    variables = {},
  }: ProcessOptions): Promise<RelayProcess> {
    const file = fileURLToPath(new URL('relay-child.mjs', import.meta.url));
    const child = fork(file, [], {
      execArgv: [...flags],
      env: {
        ...process.env,
        ...variables,
        NODE_OPTIONS: '',
        RELAY_PROCESS: JSON.stringify({ tasks, relay, port }),
      },
    });
    const url = await new Promise<string>((resolve, reject) => {
      child.once('message', ({ url = '' }: Message) => resolve(url));
      child.once('exit', (code) =>
        reject(new Error(`The relay ended at its start, ${String(code)}.`)),
      );
    });
    return new RelayProcess(child, url);
  }

  async enqueue(calls: readonly EnqueuedCall[]): Promise<RelayRef[]> {
    const all: RelayRef[] = [];
    for (let from = 0; from < calls.length; from += 200) {
      const batch = calls.slice(from, from + 200);
      all.push(...((await this.ask('enqueue', { calls: batch })) as RelayRef[]));
    }
    return all;
  }

  async status(ids: readonly string[]): Promise<RelayRecord[]> {
    return (await this.ask('status', { ids })) as RelayRecord[];
  }

  async stats(): Promise<Stats> {
    return (await this.ask('stats', {})) as Stats;
  }

  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    await exited;
  }

  private ask(verb: string, argument: object): Promise<unknown> {
    const id = this.next++;
    const asked = Promise.withResolvers<unknown>();
    this.waiting.set(id, asked);
    this.child.send({ id, verb, ...argument });
    return asked.promise;
  }
}

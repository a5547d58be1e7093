/**
 * The machine fails under a running engine: no room on the disk, no descriptors, a folder that is
 * read-only. Nothing that was acknowledged is lost, nothing is sent again and again, and it says why.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CloudTasksApi } from '../../src/engine/cloud-tasks-api.js';
import { HOUR, MILLISECOND, SECOND } from '../../src/engine/time.js';
import { connectGoogle } from '../../src/host/connect-google.js';
import type { AppProcess } from '../support/app-process.js';
import { startEngineAlone } from '../support/app-process.js';
import { everyTask } from '../support/every-task.js';
import { Receiver } from '../support/receiver.js';

const LOCATION = 'projects/demo/locations/here';
const QUEUE = `${LOCATION}/queues/work`;

let folder: string;
let receiver: Receiver;
let engine: AppProcess;
let api: CloudTasksApi;
const mounted: string[] = [];
const started: { end(): Promise<unknown> }[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'failing-machine-'));
  receiver = await Receiver.listen();
});

afterEach(async () => {
  for (const each of started.splice(0)) await each.end();
  await receiver.close();
  for (const path of mounted.splice(0)) run('umount', path);
  await rm(folder, { recursive: true, force: true });
});

async function start(dataDir: string): Promise<void> {
  const running = await startEngineAlone(dataDir);
  started.push({ end: () => running.kill('SIGKILL') });
  engine = running;
  const client = await connectGoogle({ emulatorHost: engine.url });
  started.push({ end: () => client.close() });
  api = client;
}

function run(...[program, ...args]: [string, ...string[]]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

/** A small disk in memory, where this user may mount one. */
function smallDisk(...options: string[]): string | undefined {
  const path = join(folder, 'disk');
  mkdirSync(path);
  const isMounted = run(
    'mount',
    '-t',
    'tmpfs',
    '-o',
    ['size=4m', ...options].join(),
    'tmpfs',
    path,
  );
  if (!isMounted) return undefined;
  mounted.push(path);
  return path;
}

async function create(id: string, inTime: number): Promise<string> {
  const scheduleTime = Date.now() * MILLISECOND + inTime;
  const body = new Uint8Array(1000);
  await api.createTask({
    parent: QUEUE,
    task: {
      name: `${QUEUE}/tasks/${id}`,
      scheduleTime,
      httpRequest: { url: `${receiver.url}/${id}`, body },
    },
  });
  return id;
}

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, number) => `${name}-${number}`);
}

async function idsOf(): Promise<string[]> {
  return (await everyTask(api, QUEUE)).map(({ name }) => name.slice(name.lastIndexOf('/') + 1));
}

/** How often the engine told of a failure of its own. */
function failuresTold(): string[] {
  return [...engine.lines, ...engine.stderr.lines].filter((line) =>
    line.includes('The engine failed'),
  );
}

interface Room {
  readonly dataDir: string;
  /** Leaves none for the engine. */
  fill(): void;
  free(): void;
}

function diskRoom(): Room | undefined {
  const disk = smallDisk();
  if (disk === undefined) return undefined;
  const filler = join(disk, 'filler');
  return {
    dataDir: join(disk, 'data'),
    fill: () => {
      const file = openSync(filler, 'w');
      for (const size of [65_536, 4096]) {
        try {
          for (;;) writeSync(file, new Uint8Array(size));
        } catch (error) {
          expect(error).toMatchObject({ code: 'ENOSPC' });
        }
      }
      closeSync(file);
    },
    free: () => rmSync(filler),
  };
}

/** The system lets no file of the engine grow: what a quota does, without a disk of its own. */
function limitedRoom(): Room {
  const dataDir = join(folder, 'data');
  const limit = (bytes: number | 'unlimited') =>
    expect(run('prlimit', '--pid', `${engine.child.pid ?? 0}`, `--fsize=${bytes}:unlimited`)).toBe(
      true,
    );
  return {
    dataDir,
    fill: () => limit(statSync(join(dataDir, 'tasks.sqlite-wal')).size),
    free: () => limit('unlimited'),
  };
}

describe.each([
  ['a full disk', diskRoom],
  ['a limit of files', limitedRoom],
])('%s', (name, makeRoom) => {
  test('refuses creates by a clear error, holds the queue, and loses and repeats nothing', async () => {
    const room = makeRoom();
    if (!room) {
      console.log(`${name}: this user may not mount one, so the other test stands for it`);
      return;
    }
    await start(room.dataDir);
    await api.createQueue({
      parent: LOCATION,
      queue: { name: QUEUE, rateLimits: { maxConcurrentDispatches: 2 } },
    });
    const later = await Promise.all(numbered('later', 20).map((id) => create(id, HOUR)));
    const due = await Promise.all(numbered('due', 40).map((id) => create(id, 2 * SECOND)));

    room.fill();
    await expect(create('refused', HOUR)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/^The task store can't write \(.+\): check its disk\.$/),
    });
    await receiver.reached(1);
    // More than two of its second tries.
    const until = Date.now() + 2500;
    let refused = 0;
    while (Date.now() < until) {
      await expect(create(`refused-${refused++}`, HOUR)).rejects.toMatchObject({
        code: 'UNAVAILABLE',
      });
    }
    expect(receiver.deliveries.length).toBeLessThanOrEqual(4);
    expect(failuresTold()).toHaveLength(1);
    expect(failuresTold()[0]).toContain("The task store can't write");
    expect((await idsOf()).sort()).toEqual([...later, ...due].sort());

    room.free();
    await receiver.reached(due.length);
    expect(await create('after', HOUR)).toBe('after');
    expect(receiver.deliveries).toHaveLength(due.length);
    await engine.kill('SIGKILL');

    // What it says is there is on the disk.
    await start(room.dataDir);
    const left = await idsOf();
    expect(left).toEqual(expect.arrayContaining([...later, 'after']));
    expect(left.filter((id) => id.startsWith('refused'))).toEqual([]);
  }, 60_000);
});

test('without descriptors nothing is accepted or sent, and no task pays for it with an attempt', async () => {
  await start(join(folder, 'data'));
  await api.createQueue({
    parent: LOCATION,
    // One attempt that fails would be the end of a task.
    queue: { name: QUEUE, retryConfig: { maxAttempts: 1 } },
  });
  const due = await Promise.all(numbered('due', 30).map((id) => create(id, SECOND)));
  limitDescriptors(descriptors() + 5);
  const strangers = Array.from({ length: 20 }, stranger);
  await engine.stdout.line('nothing can be sent: too many open files, see ulimit -n (EMFILE)');
  // It is alive: this connection was there before.
  const until = Date.now() + 2500;
  while (Date.now() < until) expect(await idsOf()).toHaveLength(due.length);
  expect(failuresTold()).toHaveLength(1);
  expect(receiver.deliveries).toEqual([]);

  limitDescriptors(1024);
  await receiver.reached(due.length);
  const retryCounts = receiver.deliveries.map(
    ({ headers }) => headers['x-cloudtasks-taskretrycount'],
  );
  expect(retryCounts).toEqual(due.map(() => '0'));
  for (const socket of strangers) socket.destroy();
}, 60_000);

function limitDescriptors(most: number): void {
  expect(run('prlimit', '--pid', `${engine.child.pid ?? 0}`, `--nofile=${most}:`)).toBe(true);
}

function descriptors(): number {
  return readdirSync(`/proc/${engine.child.pid ?? 0}/fd`).length;
}

/** Connects, and asks nothing. */
function stranger(): Socket {
  const socket = connect(Number(new URL(engine.url).port), '127.0.0.1');
  return socket.on('error', () => undefined);
}

test('a folder that is read-only is refused at the start, in one line that says so', async () => {
  const disk = smallDisk('ro');
  if (disk === undefined) chmodSync(folder, 0o555);
  // Root may write to any folder, so it steps down for a moment.
  const stepsDown = disk === undefined && process.geteuid?.() === 0;
  if (stepsDown) process.seteuid?.(65_534);
  try {
    await expect(startEngineAlone(join(disk ?? folder, 'data'))).rejects.toThrow(
      /can't (write|make) .+ \((EROFS|EACCES)\): .+ DATA_DIR$/,
    );
  } finally {
    if (stepsDown) process.seteuid?.(0);
    chmodSync(folder, 0o755);
  }
});

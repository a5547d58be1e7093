/**
 * Shows by `strace` that a create is on disk before it is answered: through the app's endpoint,
 * through REST and through gRPC, one create after the other, each with a sync of the database's log
 * between the read that brings the request and the write that takes the answer away.
 *
 *   npm run test:fsync -- [creates by each way, 50 by default]
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connectGoogle } from '../../src/host/connect-google.js';

const LOCATION = 'projects/local/locations/us-central1';
const QUEUE = `${LOCATION}/queues/default`;
const TARGET = 'http://127.0.0.1:9/';
const creates = Number(process.argv[2] ?? 50);

/** Makes the task of that id, and returns once that is acknowledged. */
type Create = (id: string) => Promise<void>;

const WAYS: Record<string, { program: string[]; connect: (url: string) => Promise<Create> }> = {
  'POST /add_task_external of the app': {
    program: ['dist/main.js'],
    connect: async (url) => (taskId) =>
      post(`${url}/add_task_external`, { url: TARGET, taskId, countdown: '1h' }),
  },
  'REST of the engine': {
    program: ['dist/cli/main.js', 'engine'],
    connect: async (url) => {
      await post(`${url}/v2/${LOCATION}/queues`, { name: QUEUE });
      return (id) =>
        post(`${url}/v2/${QUEUE}/tasks`, {
          task: {
            name: `${QUEUE}/tasks/${id}`,
            httpRequest: { url: TARGET },
            scheduleTime: later(),
          },
        });
    },
  },
  'gRPC of the engine': {
    program: ['dist/cli/main.js', 'engine'],
    connect: async (url) => {
      const google = await connectGoogle({ emulatorHost: url });
      await google.createQueue({ parent: LOCATION, queue: { name: QUEUE } });
      return async (id) => {
        const scheduleTime = Date.parse(later()) * 1000;
        const task = { name: `${QUEUE}/tasks/${id}`, httpRequest: { url: TARGET }, scheduleTime };
        await google.createTask({ parent: QUEUE, task });
      };
    },
  },
};

if (spawnSync('strace', ['--version']).error) {
  console.error(
    'strace is missing: apt-get install strace (Debian, Ubuntu), dnf install strace (Fedora); Linux only',
  );
  process.exit(1);
}
let failed = false;
for (const [name, { program, connect }] of Object.entries(WAYS)) {
  const folder = mkdtempSync(join(tmpdir(), 'fsync-before-ack-'));
  try {
    const unsynced = unsyncedIn(await traced(folder, program, connect));
    failed ||= unsynced.length > 0;
    const verdict = unsynced.length === 0 ? 'each after a sync of the log' : unsynced.join('\n  ');
    console.log(`${name}: ${creates} creates answered, ${verdict}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
// Google's client would keep the process for its connection.
process.exit(failed ? 1 : 0);

/** Runs the program under strace, makes the tasks, ends it, and returns what it did. */
async function traced(
  folder: string,
  program: readonly string[],
  connect: (url: string) => Promise<Create>,
): Promise<string[]> {
  const trace = join(folder, 'trace');
  // -yy tells what a number of a file or a socket stands for.
  const calls = 'trace=fsync,fdatasync,read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg';
  const child = spawn(
    'strace',
    ['-f', '-yy', '-s', '4096', '-e', calls, '-o', trace, process.execPath, ...program],
    {
      env: { ...process.env, PORT: '0', ENGINE_PORT: '0', DATA_DIR: join(folder, 'data') },
      stdio: ['ignore', 'pipe', 'ignore'],
      // A group of its own: strace itself takes no signals.
      detached: true,
    },
  );
  const exited = once(child, 'exit');
  try {
    const url = await new Promise<string>((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => {
        const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
        if (address !== undefined) resolve(address);
      });
      void exited.then(() => reject(new Error('It ended before it listened.')));
    });
    const create = await connect(url);
    for (let number = 1; number <= creates; number++) await create(idOf(number));
  } finally {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
  }
  await exited;
  return readFileSync(trace, 'latin1').split('\n');
}

/** The creates that were answered without a sync of the log since they were asked for. */
function unsyncedIn(trace: readonly string[]): string[] {
  const state = Array.from({ length: creates }, () => ({
    asked: false,
    synced: false,
    answered: '',
  }));
  const syncing = new Set<string>();
  const wrong: string[] = [];
  for (const line of trace) {
    const [thread = ''] = line.split(' ', 1);
    // A call that another thread interrupts is printed in two parts.
    if (/f(data)?sync\(.*tasks\.sqlite-wal>.*unfinished/.test(line)) syncing.add(thread);
    const isResumed = /<\.\.\. f(data)?sync resumed>/.test(line) && syncing.delete(thread);
    const isSync = isResumed || /f(data)?sync\(.*tasks\.sqlite-wal>/.test(line);
    if (isSync && line.trimEnd().endsWith('= 0')) {
      for (const create of state) create.synced ||= create.asked;
    }
    const [, number] = /create-(\d{4})/.exec(line) ?? [];
    const create = state[Number(number) - 1];
    if (!create || !line.includes('TCP')) continue;
    if (/ (read|recv)/.test(line)) create.asked = true;
    if (/ (write|send)/.test(line) && create.asked && create.answered === '') {
      create.answered = line;
      if (!create.synced) wrong.push(`no sync before ${line.slice(0, 200)}`);
    }
  }
  const silent = state.filter(({ answered }) => answered === '').length;
  return silent === 0 ? wrong : [...wrong, `${silent} requests or answers are not in the trace`];
}

function idOf(number: number): string {
  return `create-${String(number).padStart(4, '0')}`;
}

function later(): string {
  return new Date(Date.now() + 3_600_000).toISOString();
}

async function post(url: string, body: object): Promise<void> {
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
}

/** Short relayed calls against a bare undici proxy: how many a second, how much later, how much memory. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { compare, median, writeResults } from './measure.js';

const SECONDS = 3;
const AT_ONCE = 64;
const OPEN = 1000;

const silent = new Set<ServerResponse>();
let isSilent = false;
const allOpen = Promise.withResolvers<undefined>();
const target = createServer((request, response) => {
  request.resume().on('end', () => {
    if (!isSilent) response.end('done');
    else if (silent.add(response).size === OPEN) allOpen.resolve(undefined);
  });
});
await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', 4096, resolve));
const targetUrl = `http://127.0.0.1:${(target.address() as AddressInfo).port}`;

const child = fork(new URL('./relay-child.js', import.meta.url), {
  execArgv: ['--expose-gc'],
  env: { ...process.env, TARGET: targetUrl },
});
const [{ relay, proxy, token }] = (await once(child, 'message')) as [
  { relay: string; proxy: string; token: string },
];

let calls = 0;
/** One call of its own each time: a repeated one would be answered from the record. */
async function call(pool: Pool, isRelayed: boolean): Promise<void> {
  const response = await pool.request({
    method: 'POST',
    path: isRelayed ? '/relay' : '/',
    headersTimeout: 0,
    headers: isRelayed
      ? {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'x-cloudtasks-queuename': 'default',
          'x-cloudtasks-taskname': `call-${calls++}`,
          'x-cloudtasks-taskretrycount': '0',
        }
      : { 'content-type': 'text/plain' },
    body: isRelayed ? JSON.stringify({ url: `${targetUrl}/`, payload: 'x' }) : 'x',
  });
  await response.body.dump();
  if (response.statusCode !== 200) throw new Error(`Answered ${response.statusCode}.`);
}

async function callsPerSecond(url: string, isRelayed: boolean): Promise<number> {
  const pool = new Pool(url, { connections: AT_ONCE });
  const end = performance.now() + SECONDS * 1000;
  let done = 0;
  const caller = async () => {
    for (; performance.now() < end; done++) await call(pool, isRelayed);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
  await pool.destroy();
  return done / SECONDS;
}

async function medianMilliseconds(url: string, isRelayed: boolean): Promise<number> {
  const pool = new Pool(url, { connections: 1 });
  const times: number[] = [];
  for (let index = 0; index < 300; index++) {
    const start = performance.now();
    await call(pool, isRelayed);
    times.push(performance.now() - start);
  }
  await pool.destroy();
  return median(times);
}

/** Live objects: what a process holds for them besides depends on what it did before. */
async function heap(): Promise<number> {
  child.send('heap');
  const [answer] = (await once(child, 'message')) as [{ heapUsed: number }];
  return answer.heapUsed;
}

const throughput = await compare({
  name: 'Relay: short calls, each claimed, recorded and answered',
  unit: 'calls/s',
  baseline: 'a bare undici proxy',
  floor: 0.1,
  rounds: 3,
  measureBaseline: () => callsPerSecond(proxy, false),
  measure: () => callsPerSecond(relay, true),
});

const direct = await medianMilliseconds(targetUrl, false);
const relayed = await medianMilliseconds(relay, true);
const addedMs = relayed - direct;
console.log(`  one after the other: ${addedMs.toFixed(2)} ms more than a direct call (median)`);

const before = await heap();
isSilent = true;
const pool = new Pool(relay, { connections: OPEN });
const open = Array.from({ length: OPEN }, () => call(pool, true));
await allOpen.promise;
const heapKbPerCall = ((await heap()) - before) / 1024 / OPEN;
console.log(`  ${OPEN} calls open: ${heapKbPerCall.toFixed(1)} KB of heap each`);
for (const response of silent) response.end();
await Promise.all(open);
await pool.destroy();
child.kill();
await once(child, 'exit');
target.close();
await writeResults('relay', { ...throughput, addedMs, heapKbPerCall });

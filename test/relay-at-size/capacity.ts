/** As many calls open at once as App Engine lets an instance have, for ten minutes, in 384 MB. */
import { pause } from './real-time.js';
import { RelayProcess } from './relay-process.js';
import { SilentTarget } from './silent-target.js';

export const size = 1800;
const MINUTES = Number(process.env['MINUTES'] ?? 10);

/** Through the engine and its queue; each call is silent for that long, then answered. */
export async function run(count: number, _seed: number, minutes = MINUTES): Promise<string> {
  const target = await SilentTarget.start();
  const relay = await RelayProcess.start({
    flags: ['--max-old-space-size=384'],
    tasks: {
      backend: 'embedded',
      engine: { dataDir: ':memory:', port: 0, thread: 'worker' },
      queue: 'relayed',
      queues: {
        relayed: { rateLimits: { maxDispatchesPerSecond: 500, maxConcurrentDispatches: 5000 } },
      },
    },
    relay: {
      rules: [{ origin: target.url, concurrency: 1800 }],
      loopback: 'by-rule',
      maxInflight: 1800,
    },
  });
  try {
    const request = {
      url: target.url,
      payload: 'x',
      timeout: `${Math.ceil(minutes) + 5}m` as const,
    };
    const refs = await relay.enqueue(Array.from({ length: count }, () => ({ request })));
    await target.until(() => target.held.size === count);
    // What it took to open them all isn't what it takes to hold them.
    const opened = await relay.stats();
    await pause(minutes * 60_000);
    const held = await relay.stats();
    target.answerAll();
    const ids = refs.map(({ id }) => id);
    let done = 0;
    while (done < count) {
      await pause(100);
      done = (await relay.status(ids)).filter(({ state }) => state === 'done').length;
    }
    if (target.requests !== count) throw new Error(`${target.requests} calls for ${count} tasks.`);
    if (held.p99 >= 50) throw new Error(`The event loop was late by ${held.p99} ms (p99).`);
    const mb = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MB`;
    return `${count} calls open for ${minutes} min, all done once; RSS ${mb(held.rss)}, heap ${mb(held.heapUsed)}, loop p99 ${held.p99.toFixed(1)} ms (while opening ${opened.p99.toFixed(1)})`;
  } finally {
    await relay.end();
    await target.close();
  }
}

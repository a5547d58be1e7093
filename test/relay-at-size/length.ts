/** Calls that are silent for longer than any default of Node, Express or undici, side by side. */
import { pause } from './real-time.js';
import { RelayProcess } from './relay-process.js';
import { SilentTarget } from './silent-target.js';

/** Calls of each length. */
export const size = 20;
/** Seconds. An hour and more goes through App Engine's routing, which may wait for a day. */
const SILENCE = (process.env['SILENCE'] ?? '310,620').split(',').map(Number);

export async function run(count: number): Promise<string> {
  const byUrl = await Promise.all(
    SILENCE.map(async (seconds) => {
      const target = await SilentTarget.start(({ response }) => {
        void pause(seconds * 1000).then(() => response.end(`after ${seconds} s`));
      });
      return { seconds, target };
    }),
  );
  const relay = await RelayProcess.start({
    tasks: {
      backend: 'embedded',
      engine: { dataDir: ':memory:', port: 0, thread: 'worker' },
      queue: 'relayed',
      queues: { relayed: { rateLimits: { maxConcurrentDispatches: 1000 } } },
    },
    relay: {
      rules: byUrl.map(({ target }) => ({ origin: target.url, concurrency: 100 })),
      loopback: 'by-rule',
    },
  });
  try {
    const calls = byUrl.flatMap(({ seconds, target }) =>
      Array.from({ length: count }, () => ({
        request: { url: target.url, payload: 'x', timeout: `${seconds + 60}s` as const },
      })),
    );
    const ids = (await relay.enqueue(calls)).map(({ id }) => id);
    const longest = Math.max(...SILENCE);
    await pause(longest * 1000);
    const end = Date.now() + 30_000;
    for (;;) {
      const records = await relay.status(ids);
      const open = records.filter(({ state }) => state !== 'done');
      if (open.length === 0) break;
      if (Date.now() > end)
        throw new Error(`${open.length} are not done: ${String(open[0]?.state)}.`);
      await pause(100);
    }
    for (const { seconds, target } of byUrl) {
      if (target.requests !== count) {
        throw new Error(`Of ${seconds} s there were ${target.requests} calls for ${count} tasks.`);
      }
    }
    return `${count} calls each, silent for ${SILENCE.join(' s and ')} s, all done at the first attempt`;
  } finally {
    await relay.end();
    await Promise.all(byUrl.map(({ target }) => target.close()));
  }
}

/** 8,000 calls open for a minute, driven directly: no error, and what each of them costs. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { directRelay } from './direct-relay.js';
import { pause } from './real-time.js';

export const size = 8000;
const SECONDS = Number(process.env['SECONDS'] ?? 60);
/** A server of Node's lets 511 connections wait. */
const AT_ONCE = 500;
/** Of memory, for each call. */
const MOST_KB = 40;

/** Of Node, as the relay's own service is started on App Engine. */
function deployedFlags(): string[] {
  const file = new URL('../../relay.app.yaml', import.meta.url);
  const { entrypoint } = parse(readFileSync(file, 'utf8')) as { entrypoint: string };
  return entrypoint.split(' ').slice(1, -1);
}

export async function run(count: number, _seed: number, seconds = SECONDS): Promise<string> {
  const flags = ['--expose-gc', '--max-old-space-size=1024', ...deployedFlags()];
  const direct = await directRelay(count, flags);
  try {
    // What a first call loads and compiles isn't the price of the next.
    const warm = Array.from({ length: 200 }, (_, index) =>
      direct.callers.call({ task: `warm-${index}`, body: direct.body(index) }),
    );
    await direct.until(() => direct.held() === warm.length);
    direct.targets.forEach((target) => target.answerAll());
    await Promise.all(warm);
    const before = await direct.relay.stats();
    const answers: Promise<number>[] = [];
    while (answers.length < count) {
      // No more at once than wait to be accepted: what the kernel drops, it tries again ever later.
      const upTo = Math.min(answers.length + AT_ONCE, count);
      for (let index = answers.length; index < upTo; index++) {
        answers.push(direct.callers.call({ task: `call-${index}`, body: direct.body(index) }));
      }
      await direct.until(() => direct.held() === answers.length);
    }
    await direct.relay.stats();
    await pause(seconds * 1000);
    const held = await direct.relay.stats();
    direct.targets.forEach((target) => target.answerAll());
    const statuses = await Promise.all(answers);
    const wrong = statuses.filter((status) => status !== 200);
    if (wrong.length > 0)
      throw new Error(`${wrong.length} were not answered 200: ${String(wrong[0])}.`);
    const kb = (held.rss - before.rss) / 1024 / count;
    if (count >= size && kb > MOST_KB) throw new Error(`${kb.toFixed(1)} KB a call.`);
    return `${count} calls open for ${seconds} s, all answered 200; ${kb.toFixed(1)} KB a call (${((held.heapUsed - before.heapUsed) / 1024 / count).toFixed(1)} KB of it heap), RSS ${(held.rss / 2 ** 20).toFixed(0)} MB, loop p99 ${held.p99.toFixed(1)} ms`;
  } finally {
    await direct.close();
  }
}

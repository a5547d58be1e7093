/** 100,000 short calls: neither memory nor open files grow. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { directRelay } from './direct-relay.js';
import { pause } from './real-time.js';
import { Pool } from 'undici';

export const size = 100_000;
const AT_ONCE = 50;
const MOST_GROWTH = 5 * 2 ** 20;

export async function run(count: number): Promise<string> {
  // What became of each call is kept for days: on disk, as it is wherever memory counts.
  const folder = mkdtempSync(join(tmpdir(), 'relay-leak-'));
  const store = `sqlite:${join(folder, 'journal.sqlite')}`;
  const direct = await directRelay(1, ['--expose-gc'], store);
  const [target] = direct.targets;
  target?.answerAtOnce();
  const headers = direct.callers.headers();
  let next = 0;
  const worker = async (pool: Pool, until: number) => {
    for (let index = next++; index < until; index = next++) {
      const { statusCode, body } = await pool.request({
        method: 'POST',
        path: '/relay',
        headers: { ...headers, 'x-cloudtasks-taskname': `call-${index}` },
        body: direct.body(0, { payload: 'x', timeout: '10s' }),
      });
      await body.dump();
      if (statusCode !== 200) throw new Error(`Call ${index} was answered ${statusCode}.`);
    }
    next--;
  };
  /** Ends with all sockets closed: those to the target are kept for a second. */
  const upTo = async (until: number) => {
    const pool = new Pool(direct.relay.url, { connections: AT_ONCE });
    await Promise.all(Array.from({ length: AT_ONCE }, () => worker(pool, until)));
    await pool.destroy();
    await pause(2000);
    // The second time what the first has freed late is gone too.
    await direct.relay.stats();
    return direct.relay.stats();
  };
  try {
    const early = await upTo(Math.floor(count / 5));
    const late = await upTo(count);
    const growth = late.heapUsed - early.heapUsed;
    if (growth > MOST_GROWTH) throw new Error(`The heap has grown by ${growth} bytes.`);
    if (late.files > early.files) throw new Error(`${early.files} files, then ${late.files}.`);
    return `${count} calls; heap ${(growth / 2 ** 20).toFixed(2)} MB more at the end than at a fifth, files ${early.files} and ${late.files}`;
  } finally {
    await direct.close();
    rmSync(folder, { recursive: true });
  }
}

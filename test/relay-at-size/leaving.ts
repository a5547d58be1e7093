/** 3,000 callers that leave at once: their calls are ended within two seconds. */
import { directRelay } from './direct-relay.js';

export const size = 3000;
const MOST_SECONDS = 2;

export async function run(count: number): Promise<string> {
  const direct = await directRelay(count, []);
  try {
    const answers = Array.from({ length: count }, (_, index) =>
      direct.callers.call({ task: `call-${index}`, body: direct.body(index) }),
    );
    await direct.until(() => direct.held() === count);
    const start = performance.now();
    direct.callers.leave();
    await direct.until(() => direct.held() === 0);
    const seconds = (performance.now() - start) / 1000;
    await Promise.all(answers);
    const left = direct.targets.reduce((sum, target) => sum + target.left, 0);
    if (left !== count) throw new Error(`${left} of ${count} calls were cut.`);
    if (seconds >= MOST_SECONDS) throw new Error(`It took ${seconds.toFixed(1)} s.`);
    return `${count} callers left, and ${left} calls were ended in ${seconds.toFixed(2)} s`;
  } finally {
    await direct.close();
  }
}

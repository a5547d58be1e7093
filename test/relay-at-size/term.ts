/** SIGTERM, and a kill two seconds later: no call that was accepted is lost. */
import { pause } from './real-time.js';
import { rounds } from './crash-rounds.js';

export const size = 100;

export function run(count: number, seed: number): Promise<string> {
  return rounds(count, seed, async (relay) => {
    const ended = relay.end('SIGTERM');
    await Promise.race([ended, pause(2000)]);
    await relay.end('SIGKILL');
    await ended;
    return undefined;
  });
}

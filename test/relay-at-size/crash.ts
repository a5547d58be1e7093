/** `kill -9` of the relay while its calls are open: repeated only under the same key, or not at all. */
import { rounds } from './crash-rounds.js';

export const size = 300;

export function run(count: number, seed: number): Promise<string> {
  return rounds(count, seed, async (relay) => {
    await relay.end('SIGKILL');
    return undefined;
  });
}

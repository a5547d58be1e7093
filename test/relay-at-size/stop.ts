/** SIGSTOP beyond the lease: another relay takes over, and the one that wakes up overwrites nothing. */
import { pause } from './real-time.js';
import { rounds } from './crash-rounds.js';

export const size = 50;

export function run(count: number, seed: number): Promise<string> {
  return rounds(count, seed, async (relay, chain) => {
    relay.child.kill('SIGSTOP');
    // One that stops in a commit has the file for itself until it wakes up: no other could start.
    while (chain.isLocked()) {
      relay.child.kill('SIGCONT');
      await pause(2);
      relay.child.kill('SIGSTOP');
      await pause(2);
    }
    await pause(1300);
    return async () => {
      relay.child.kill('SIGCONT');
      // It finds out that it has lost its leases, and that its answers are nobody's any more.
      await pause(700);
      await relay.end('SIGKILL');
    };
  });
}

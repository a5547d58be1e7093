/** SIGTERM as App Engine sends it: the process has ended by itself before it is killed, and left nothing held. */
import { pause } from './real-time.js';
import { rounds } from './crash-rounds.js';

export const size = 100;

/** App Engine kills what is still there. */
const KILL_MS = 2000;

/** Nobody waits for a lease: only calls whose lease was given back are taken over within `patience`. */
const ON_APP_ENGINE = {
  lease: '30s',
  patience: 15_000,
  variables: { GAE_ENV: 'standard' },
} as const;

export function run(count: number, seed: number): Promise<string> {
  return rounds(
    count,
    seed,
    async (relay) => {
      const ended = relay.end('SIGTERM');
      await Promise.race([ended, pause(KILL_MS)]);
      const { exitCode } = relay.child;
      await relay.end('SIGKILL');
      await ended;
      if (exitCode !== 0) {
        const how = exitCode === null ? 'had not ended' : `ended with ${exitCode}`;
        throw new Error(`${KILL_MS} ms after SIGTERM the relay ${how}.`);
      }
      return undefined;
    },
    ON_APP_ENGINE,
  );
}

/** A relay process that believes a test's own issuer, and targets that stay silent for it. */
import { TestIssuer, ACCOUNT, AUDIENCE } from '../support/test-issuer.js';
import { RawCallers } from './raw-callers.js';
import { pause } from './real-time.js';
import { RelayProcess } from './relay-process.js';
import { SilentTarget } from './silent-target.js';

/** An origin's rule allows no more. */
const PER_TARGET = 1600;

export interface DirectRelay {
  readonly relay: RelayProcess;
  readonly callers: RawCallers;
  readonly targets: readonly SilentTarget[];
  /** How many calls are at the targets. */
  held(): number;
  until(isSo: () => boolean): Promise<void>;
  /** The body of the call of that number. */
  body(index: number, more?: object): string;
  /** Another relay process, for these origins, which callers call from now on. */
  again(origins: readonly string[]): Promise<RelayProcess>;
  close(): Promise<void>;
}

/** @param store where the relay keeps its records */
export async function directRelay(
  calls: number,
  flags: readonly string[],
  store = 'memory:',
): Promise<DirectRelay> {
  const issuer = await TestIssuer.start();
  const count = Math.ceil(calls / PER_TARGET);
  const targets = await Promise.all(Array.from({ length: count }, () => SilentTarget.start()));
  const start = (origins: readonly string[]) =>
    RelayProcess.start({
      flags,
      tasks: {
        // Nobody asks it: tasks come from the test alone.
        backend: 'google',
        emulatorHost: '127.0.0.1:9',
        project: 'local',
        serviceUrl: AUDIENCE,
        serviceAccount: ACCOUNT,
        store,
        auth: { mode: 'oidc', issuer: issuer.url, audience: AUDIENCE, accounts: [ACCOUNT] },
      },
      relay: {
        rules: origins.map((origin) => ({ origin, concurrency: 1800 })),
        loopback: 'by-rule',
        maxInflight: 10_000,
      },
    });
  let relay = await start(targets.map(({ url }) => url));
  const callers = new RawCallers(new URL(relay.url), issuer);
  const held = () => targets.reduce((sum, target) => sum + target.held.size, 0);
  return {
    get relay() {
      return relay;
    },
    callers,
    again: async (origins) => {
      relay = await start(origins);
      callers.url = new URL(relay.url);
      return relay;
    },
    targets,
    held,
    until: async (isSo) => {
      while (!isSo()) {
        if (callers.refused.length > 0) {
          throw new Error(
            `${callers.refused.length} calls were answered ${callers.refused[0] ?? 0}.`,
          );
        }
        await Promise.race([pause(500), ...targets.map((target) => target.change())]);
      }
    },
    body: (index, more = {}) => {
      const url = targets[index % targets.length]?.url;
      return JSON.stringify({ url, timeout: '20m', ...more });
    },
    close: async () => {
      await relay.end();
      await Promise.all(targets.map((target) => target.close()));
      await issuer.close();
    },
  };
}

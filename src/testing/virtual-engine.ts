/** The real engine on a virtual clock: it keeps its tasks in memory and opens no port. */
import { Calendar } from '../adapters/cron-calendar.js';
import { MemoryStore } from '../adapters/memory-store.js';
import { newSigningKey, OidcIssuer } from '../adapters/oidc-issuer.js';
import { Engine } from '../engine/engine.js';
import type { EngineEvents } from '../engine/ports.js';
import type { RunningEngine } from '../host/running-engine.js';
import type { MemoryNetwork } from './memory-network.js';
import type { VirtualClock } from './virtual-clock.js';

export interface VirtualEngine extends RunningEngine {
  readonly engine: Engine;
}

/** A test process needs one; to make it takes longer than everything else here. */
let signingKey: Promise<string> | undefined;

/** Dispatches only between `engine.dispatch()` and `engine.hold()`, whatever the app asks for. */
export async function virtualEngine(
  { issuer = 'https://tasks.test' }: { readonly issuer?: string | undefined },
  ports: {
    readonly clock: VirtualClock;
    readonly network: MemoryNetwork;
    readonly onEvent: EngineEvents;
  },
): Promise<VirtualEngine> {
  const { clock, network, onEvent } = ports;
  const privateKey = await (signingKey ??= newSigningKey());
  const tokens = await OidcIssuer.create({ issuer, privateKey, clock });
  const store = new MemoryStore();
  const engine = new Engine(
    {
      clock,
      cron: new Calendar(),
      random: Math.random,
      store,
      transport: network,
      tokens,
      onEvent,
    },
    // Nothing leaves the process, so nothing can overhear a token.
    { trustsHttp: () => true },
  );
  return {
    engine,
    api: engine,
    url: issuer,
    issuer,
    secret: network.secret,
    // The guard fetches them like any others, but from the address itself.
    jwksUrl: `data:application/json,${encodeURIComponent(JSON.stringify(tokens.jwks()))}`,
    dispatch: async () => {},
    idToken: (claims) => tokens.idToken(claims),
    // A handler that never settles would hold up the end of the test.
    drain: async () => engine.hold(),
    close: async () => {
      engine.abandon();
      await network.close();
      await store.close();
    },
  };
}

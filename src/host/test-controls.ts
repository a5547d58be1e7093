/** What the test API needs around an engine: a clock to move, a network to break, and a memory. */
import type { HttpTransport } from '../adapters/http-transport.js';
import { ShiftedClock } from '../adapters/shifted-clock.js';
import type { TestedEngine } from '../adapters/test-api.js';
import { TestApi } from '../adapters/test-api.js';
import { TestAttempts } from '../adapters/test-attempts.js';
import { TestFaults } from '../adapters/test-faults.js';
import type { Clock, Transport } from '../engine/ports.js';

export interface TestControls {
  /** What the engine runs on in place of the machine's clock and the network. */
  readonly ports: { readonly clock: Clock; readonly transport: Transport };
  answer(engine: TestedEngine): TestApi['answer'];
}

/** A clock and a transport for an engine, over the real ones, and the API that controls them. */
export function testControls(system: Clock, http: HttpTransport): TestControls {
  const clock = new ShiftedClock(system);
  const faults = new TestFaults(http, clock);
  const attempts = new TestAttempts(faults, clock);
  http.onResponse = (dispatch, response) => attempts.seen(dispatch, response);
  return {
    ports: { clock, transport: attempts },
    answer: (engine) => new TestApi({ engine, clock, attempts, faults }).answer,
  };
}

/** An EngineApi on a port of its own, over REST as the engine serves it. */
import { EngineServer } from '../../src/adapters/engine-server.js';
import { restVerbs } from '../../src/adapters/grpc-rest-verbs.js';
import { RestServer } from '../../src/adapters/rest-server.js';
import type { EngineApi } from '../../src/engine/engine-api.js';

export interface RestPort {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** What the servers reported as their own failures. */
  readonly errors: unknown[];
  close(): Promise<void>;
}

export async function restPort(api: EngineApi): Promise<RestPort> {
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const server = await EngineServer.listen({ host: '127.0.0.1', port: 0, onError });
  const rest = new RestServer({
    api,
    verbs: (...of) => Promise.resolve(restVerbs(...of)),
    onError,
  });
  server.serve({});
  server.serveRest(rest.answer);
  return { url: server.url, errors, close: () => server.close() };
}

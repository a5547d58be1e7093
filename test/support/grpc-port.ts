/** A EngineApi on a port of its own, over gRPC as the engine serves it. */
import { EngineServer } from '../../src/adapters/engine-server.js';
import { GrpcServer } from '../../src/adapters/grpc-server.js';
import type { EngineApi } from '../../src/engine/engine-api.js';

export interface GrpcPort {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly grpc: GrpcServer;
  /** What the servers reported as their own failures. */
  readonly errors: unknown[];
  close(): Promise<void>;
}

export async function grpcPort(api: EngineApi): Promise<GrpcPort> {
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const server = await EngineServer.listen({ host: '127.0.0.1', port: 0, onError });
  const grpc = new GrpcServer({ api, onError });
  server.serveHttp2((socket) => grpc.serve(socket));
  server.serve({ 'GET /healthz': () => ({ status: 200, json: { status: 'ok' } }) });
  return {
    url: server.url,
    grpc,
    errors,
    close: async () => {
      await Promise.all([grpc.close(), server.close()]);
    },
  };
}

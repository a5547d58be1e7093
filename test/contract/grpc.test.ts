import { EngineServer } from '../../src/adapters/engine-server.js';
import { googleCloudTasks } from '../../src/adapters/google-cloud-tasks.js';
import { GrpcServer } from '../../src/adapters/grpc-server.js';
import { engineUnderTest } from '../support/engine-under-test.js';
import { describeCloudTasksApi } from './cloud-tasks-api.contract.js';

describeCloudTasksApi({
  name: "the engine by gRPC and Google's client",
  open: async () => {
    const { engine, clock } = await engineUnderTest({ target: () => 'hold' });
    const onError = (error: unknown) => {
      throw error;
    };
    const server = await EngineServer.listen({ host: '127.0.0.1', port: 0, onError });
    const grpc = new GrpcServer({ api: engine, onError });
    server.serveHttp2((socket) => grpc.serve(socket));
    const google = await googleCloudTasks({ emulatorHost: server.url });
    return {
      api: google,
      clock,
      close: async () => {
        await google.close();
        await Promise.all([grpc.close(), server.close()]);
        engine.abandon();
      },
    };
  },
});

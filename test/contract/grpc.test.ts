import { googleCloudTasks } from '../../src/adapters/google-cloud-tasks.js';
import { engineUnderTest } from '../support/engine-under-test.js';
import { grpcPort } from '../support/grpc-port.js';
import { describeCloudTasksApi } from './cloud-tasks-api.contract.js';

describeCloudTasksApi({
  name: "the engine by gRPC and Google's client",
  open: async () => {
    const { engine, clock } = await engineUnderTest({ target: () => 'hold' });
    const port = await grpcPort(engine);
    const google = await googleCloudTasks({ emulatorHost: port.url });
    return {
      api: google,
      clock,
      close: async () => {
        await google.close();
        await port.close();
        engine.abandon();
      },
    };
  },
});

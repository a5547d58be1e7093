import { googleCloudScheduler } from '../../src/adapters/google-cloud-scheduler.js';
import { engineUnderTest } from '../support/engine-under-test.js';
import { grpcPort } from '../support/grpc-port.js';
import { describeCloudSchedulerApi } from './cloud-scheduler-api.contract.js';

describeCloudSchedulerApi("the engine by gRPC and Google's client", async () => {
  const { engine } = await engineUnderTest({ target: () => 'hold' });
  const port = await grpcPort(engine);
  const google = await googleCloudScheduler({ emulatorHost: port.url });
  return {
    api: google,
    close: async () => {
      await google.close();
      await port.close();
      engine.abandon();
    },
  };
});

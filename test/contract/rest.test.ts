import { googleCloudTasks } from '../../src/adapters/google-cloud-tasks.js';
import { engineUnderTest } from '../support/engine-under-test.js';
import { restPort } from '../support/rest-port.js';
import { describeCloudTasksApi } from './cloud-tasks-api.contract.js';

describeCloudTasksApi({
  name: "the engine by REST and Google's client",
  open: async () => {
    const { engine, clock } = await engineUnderTest({ target: () => 'hold' });
    const port = await restPort(engine);
    const google = await googleCloudTasks({ emulatorHost: port.url, fallback: true });
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

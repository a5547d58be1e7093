import { engineUnderTest } from '../support/engine-under-test.js';
import { describeCloudTasksApi } from './cloud-tasks-api.contract.js';

describeCloudTasksApi({
  name: 'the engine in process',
  open: async () => {
    const { engine, clock } = await engineUnderTest({ target: () => 'hold' });
    return {
      api: engine,
      clock,
      close: async () => engine.abandon(),
    };
  },
});

import { engineUnderTest } from '../support/engine-under-test.js';
import { describeCloudSchedulerApi } from './cloud-scheduler-api.contract.js';

describeCloudSchedulerApi('the engine in process', async () => {
  const { engine } = await engineUnderTest({ target: () => 'hold' });
  return { api: engine, close: async () => engine.abandon() };
});

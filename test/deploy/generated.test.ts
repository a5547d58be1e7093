/** App Engine's files are what is generated of tasks.config.yaml, so that there is one truth. */
import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { cronYaml } from '../../src/host/generate-cron-yaml.js';
import { queueYaml } from '../../src/host/generate-queue-yaml.js';
import { wantedQueuesOf } from '../../src/host/wanted-queues.js';

const FILE = 'tasks.config.yaml';

test.each([
  ['queue.yaml', async () => queueYaml(await wantedQueuesOf(FILE), FILE)],
  ['cron.yaml', async () => cronYaml((await wantedQueuesOf(FILE)).schedules ?? [], FILE)],
])('%s is what is generated', async (file, generate) => {
  // Otherwise: npx nest-cloud-tasks generate queue.yaml --output queue.yaml, or the same of cron.yaml
  expect(readFileSync(file, 'utf8')).toBe(await generate());
});

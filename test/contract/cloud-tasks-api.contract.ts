/** What every CloudTasksApi does, whichever way a call takes: the reference, as tests. */
import { describe } from '@jest/globals';
import type { Implementation } from './api-under-test.js';
import { ApiUnderTest } from './api-under-test.js';
import { describeIam } from './iam.contract.js';
import { describeQueueVerbs } from './queue-verbs.contract.js';
import { describeTaskSize } from './task-size.contract.js';
import { describeTaskVerbs } from './task-verbs.contract.js';

export function describeCloudTasksApi(implementation: Implementation): void {
  describe(`${implementation.name} as a CloudTasksApi`, () => {
    const under = new ApiUnderTest(implementation);
    describeQueueVerbs(under);
    describeTaskVerbs(under);
    describeTaskSize(under);
    describeIam(under);
  });
}

/** IAM policies by the contract: kept and answered as they were set, on any CloudTasksApi. */
import { describe, expect, test } from '@jest/globals';
import type { ApiUnderTest } from './api-under-test.js';
import { expectRefusal, parentOf, TEXT } from './api-under-test.js';

const ENQUEUER = { role: 'roles/cloudtasks.enqueuer', members: ['user:a@example.com', 'allUsers'] };
const VIEWER = {
  role: 'roles/cloudtasks.viewer',
  members: ['group:b@example.com'],
  condition: { expression: 'true', title: 'always', description: '', location: '' },
};

export function describeIam(under: ApiUnderTest): void {
  describe('the IAM policy of a queue', () => {
    test('is empty at first', async () => {
      const resource = await under.pausedQueue();
      const policy = await under.api.getIamPolicy({ resource });
      expect(policy).toEqual({ version: 0, bindings: [], etag: 'ACAB' });
    });

    test('is kept as it was set', async () => {
      const resource = await under.pausedQueue();
      const policy = { version: 3, bindings: [ENQUEUER, VIEWER] };
      const set = await under.api.setIamPolicy({ resource, policy });
      expect(set).toEqual({ ...policy, etag: expect.any(String) });
      expect(await under.api.getIamPolicy({ resource })).toEqual(set);
    });

    test('replaces the one before, and changes its etag, even where nothing else changes', async () => {
      const resource = await under.pausedQueue();
      const policy = { bindings: [ENQUEUER] };
      const first = await under.api.setIamPolicy({ resource, policy });
      const second = await under.api.setIamPolicy({ resource, policy });
      expect(second.bindings).toEqual([ENQUEUER]);
      expect(new Set([first.etag, second.etag, 'ACAB', '']).size).toBe(4);
    });

    test('loses a binding without members', async () => {
      const resource = await under.pausedQueue();
      const bindings = [{ ...ENQUEUER, members: [] }, VIEWER];
      const set = await under.api.setIamPolicy({ resource, policy: { bindings } });
      expect(set.bindings).toEqual([VIEWER]);
    });

    test("is not changed with an etag that isn't the last one", async () => {
      const resource = await under.pausedQueue();
      const read = await under.api.getIamPolicy({ resource });
      const mine = { ...read, bindings: [ENQUEUER] };
      const set = await under.api.setIamPolicy({ resource, policy: mine });
      await expectRefusal(
        under.api.setIamPolicy({ resource, policy: { ...read, bindings: [VIEWER] } }),
        'ABORTED',
        /concurrent policy changes/,
      );
      expect(await under.api.getIamPolicy({ resource })).toEqual(set);
      const again = { ...set, bindings: [ENQUEUER, VIEWER] };
      expect(await under.api.setIamPolicy({ resource, policy: again })).toMatchObject({
        bindings: [ENQUEUER, VIEWER],
      });
    });

    test('keeps what its mask does not name', async () => {
      const resource = await under.pausedQueue();
      await under.api.setIamPolicy({ resource, policy: { bindings: [ENQUEUER] } });
      const set = await under.api.setIamPolicy({
        resource,
        policy: { bindings: [], version: 3 },
        updateMask: ['version'],
      });
      expect(set).toMatchObject({ version: 3, bindings: [ENQUEUER] });
      const bad = under.api.setIamPolicy({ resource, policy: {}, updateMask: ['nonsense'] });
      await expectRefusal(bad, 'INVALID_ARGUMENT', undefined, 'updateMask');
    });

    test('needs roles and a version that there is', async () => {
      const resource = await under.pausedQueue();
      await expectRefusal(
        under.api.setIamPolicy({ resource, policy: { bindings: [{ ...ENQUEUER, role: '' }] } }),
        'INVALID_ARGUMENT',
        undefined,
        'policy.bindings[0].role',
      );
      await expectRefusal(
        under.api.setIamPolicy({ resource, policy: { version: 2 } }),
        'INVALID_ARGUMENT',
        undefined,
        'policy.version',
      );
    });

    test('goes with its queue, and is of that one alone', async () => {
      const resource = await under.pausedQueue();
      const other = `${parentOf(resource)}/queues/other`;
      await under.api.createQueue({ parent: parentOf(other), queue: { name: other } });
      await under.api.setIamPolicy({ resource, policy: { bindings: [ENQUEUER] } });
      expect((await under.api.getIamPolicy({ resource: other })).bindings).toEqual([]);
      await under.api.deleteQueue({ name: resource });
      await expectRefusal(under.api.getIamPolicy({ resource }), 'NOT_FOUND', TEXT.noQueue);
      await expectRefusal(
        under.api.setIamPolicy({ resource, policy: {} }),
        'NOT_FOUND',
        TEXT.noQueue,
      );
    });

    test('refuses a bad name', async () => {
      const resource = 'work';
      const { api } = under;
      for (const call of [
        api.getIamPolicy({ resource }),
        api.setIamPolicy({ resource, policy: {} }),
        api.testIamPermissions({ resource, permissions: [] }),
      ]) {
        await expectRefusal(call, 'INVALID_ARGUMENT', TEXT.queueName, 'resource');
      }
    });
  });

  describe('testIamPermissions', () => {
    const permissions = ['cloudtasks.tasks.create', 'cloudtasks.queues.get'];

    test('grants all on a queue that is there, and none on one that is not', async () => {
      const resource = await under.pausedQueue();
      expect(await under.api.testIamPermissions({ resource, permissions })).toEqual({
        permissions,
      });
      const missing = under.queueName();
      expect(await under.api.testIamPermissions({ resource: missing, permissions })).toEqual({
        permissions: [],
      });
    });

    test('refuses wildcards', async () => {
      const resource = await under.pausedQueue();
      const call = under.api.testIamPermissions({ resource, permissions: ['cloudtasks.*'] });
      await expectRefusal(call, 'INVALID_ARGUMENT', undefined, 'permissions');
    });
  });
}

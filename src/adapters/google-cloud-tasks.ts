/** Google's own client, made to look like CloudTasksApi: for Cloud Tasks itself or an emulator. */
import type { CloudTasksApi } from '../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../engine/errors.js';
import type { Duration } from '../engine/time.js';
import { MILLISECOND, SECOND } from '../engine/time.js';
import type { GoogleOptions } from './google-client.js';
import { openBetaClient, openClient } from './google-client.js';
import { toCloudTasksError } from './google-error.js';
import { unaskable } from './google-rest-names.js';
import { policyFromWire, policyToWire } from './wire-iam.js';
import { betaMask, betaQueueFromWire, betaQueueToWire } from './wire-queue-beta.js';
import { queueFromWire, queueToWire } from './wire-queue.js';
import { taskFromWire, taskToWire, viewToWire } from './wire-task.js';
import { toInt32, toMask } from './wire.js';

/** For a call with all that is tried again. Production refuses any deadline above 30 s. */
const DEADLINE: Duration = 20 * SECOND;

/**
 * The verbs by Google's client, which is loaded here and not before: it slows a start down.
 *
 * Reads and deletes that don't reach the service are tried again within the deadline of 20 s. The
 * other verbs never are: a create that fails with UNAVAILABLE or DEADLINE_EXCEEDED may have been
 * carried out.
 *
 * @throws INVALID_ARGUMENT for an `emulatorHost` that is no address; UNAUTHENTICATED without one
 *   and without credentials.
 */
export async function googleCloudTasks(
  options: GoogleOptions = {},
): Promise<CloudTasksApi & { close(): Promise<void> }> {
  const client = await openClient(options);
  let closed = false;
  let opening: ReturnType<typeof openBetaClient> | undefined;
  const beta = () => (opening ??= openBetaClient(options));
  const failure = (error: unknown, verb: string, request: unknown) => {
    if (closed) {
      const message = 'The Cloud Tasks client is closed.';
      return new CloudTasksError('UNAVAILABLE', message, { cause: error });
    }
    return unaskable(error, verb, request) ?? toCloudTasksError(error);
  };
  return catching(failure, {
    listQueues: async (request) => {
      const wire = { ...request, pageSize: toInt32(request.pageSize, 'pageSize') };
      const [queues, , answer] = await client.listQueues(wire, onePage());
      return { queues: queues.map(queueFromWire), ...nextPage(answer) };
    },
    getQueue: async ({ version, ...request }) => {
      if (version === 'v2beta3') {
        const wire = { name: request.name, readMask: betaMask(request.readMask) };
        const [queue] = await (await beta()).getQueue(wire, idempotent());
        return betaQueueFromWire(queue);
      }
      const [queue] = await client.getQueue(request, idempotent());
      return queueFromWire(queue);
    },
    createQueue: async ({ parent, queue, version }) => {
      if (version === 'v2beta3') {
        const wire = { parent, queue: betaQueueToWire(queue) };
        const [created] = await (await beta()).createQueue(wire, once());
        return betaQueueFromWire(created);
      }
      const [created] = await client.createQueue({ parent, queue: queueToWire(queue) }, once());
      return queueFromWire(created);
    },
    updateQueue: async ({ queue, updateMask, version }) => {
      if (version === 'v2beta3') {
        const wire = { queue: betaQueueToWire(queue), updateMask: betaMask(updateMask) };
        const [updated] = await (await beta()).updateQueue(wire, once());
        return betaQueueFromWire(updated);
      }
      const wire = { queue: queueToWire(queue), updateMask: toMask(updateMask) };
      const [updated] = await client.updateQueue(wire, once());
      return queueFromWire(updated);
    },
    deleteQueue: async (request) => {
      await client.deleteQueue(request, idempotent());
    },
    purgeQueue: async (request) => {
      const [queue] = await client.purgeQueue(request, once());
      return queueFromWire(queue);
    },
    pauseQueue: async (request) => {
      const [queue] = await client.pauseQueue(request, once());
      return queueFromWire(queue);
    },
    resumeQueue: async (request) => {
      const [queue] = await client.resumeQueue(request, once());
      return queueFromWire(queue);
    },
    listTasks: async (request) => {
      const wire = {
        ...request,
        pageSize: toInt32(request.pageSize, 'pageSize'),
        responseView: viewToWire(request.responseView),
      };
      const [tasks, , answer] = await client.listTasks(wire, onePage());
      return { tasks: tasks.map(taskFromWire), ...nextPage(answer) };
    },
    getTask: async ({ name, responseView }) => {
      const wire = { name, responseView: viewToWire(responseView) };
      const [task] = await client.getTask(wire, idempotent());
      return taskFromWire(task);
    },
    createTask: async ({ parent, task, responseView }) => {
      const wire = { parent, task: taskToWire(task), responseView: viewToWire(responseView) };
      const [created] = await client.createTask(wire, once());
      return taskFromWire(created);
    },
    deleteTask: async (request) => {
      await client.deleteTask(request, idempotent());
    },
    runTask: async ({ name, responseView }) => {
      const [task] = await client.runTask({ name, responseView: viewToWire(responseView) }, once());
      return taskFromWire(task);
    },
    getIamPolicy: async ({ resource }) => {
      const [policy] = await client.getIamPolicy({ resource }, idempotent());
      return policyFromWire(policy);
    },
    setIamPolicy: async ({ resource, policy, updateMask }) => {
      const wire = {
        resource,
        policy: policyToWire(policy),
        updateMask: updateMask ? { paths: updateMask } : null,
      };
      const [set] = await client.setIamPolicy(wire, once());
      return policyFromWire(set);
    },
    testIamPermissions: async (request) => {
      const [{ permissions }] = await client.testIamPermissions(request, idempotent());
      return { permissions: permissions ?? [] };
    },
    close: async () => {
      closed = true;
      await Promise.all([client.close(), opening?.then((client) => client.close())]);
    },
  });
}

// The client writes each call's headers into its options, so every call gets options of its own.

/** With the client's own rule for what is tried again. */
function idempotent() {
  return { timeout: DEADLINE / MILLISECOND };
}

function once() {
  return { ...idempotent(), retry: null };
}

/** Just the page that was asked for: by itself the client would go on to the last one. */
function onePage() {
  return { ...idempotent(), autoPaginate: false };
}

function nextPage({ nextPageToken }: { nextPageToken?: string | null }) {
  return nextPageToken ? { nextPageToken } : {};
}

/** The same verbs, each of whose failures is what `failure` makes of it. */
function catching(
  failure: (error: unknown, verb: string, request: unknown) => CloudTasksError,
  verbs: CloudTasksApi & { close(): Promise<void> },
) {
  const wrapped = Object.entries(verbs).map(([name, verb]) => [
    name,
    async (request: unknown): Promise<unknown> => {
      try {
        return await (verb as (request: unknown) => Promise<unknown>)(request);
      } catch (error) {
        throw failure(error, name, request);
      }
    },
  ]);
  return Object.fromEntries(wrapped) as typeof verbs;
}

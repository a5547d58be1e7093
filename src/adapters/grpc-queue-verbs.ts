/** The verbs on queues, in the form that each version of the API gives to a queue. */
import { google } from '@google-cloud/tasks/build/protos';
import type {
  ApiVersion,
  CloudTasksApi,
  GetQueueRequest,
  ListQueuesRequest,
  Queue,
  QueueInput,
  UpdateQueueRequest,
} from '../engine/cloud-tasks-api.js';
import { page } from './grpc-task-verbs.js';
import type { Decoder, Encoder, GrpcVerb } from './grpc-verb.js';
import { verbsOf } from './grpc-verb.js';
import {
  betaQueueInputFromWire,
  betaQueueMask,
  betaQueueToWire,
  betaReadMask,
  inMask,
} from './wire-queue-beta.js';
import { queueInputFromWire, queueToWire, v2QueueMask } from './wire-queue.js';
import { fromText, present } from './wire.js';

const { v2, v2beta3 } = google.cloud.tasks;

type WireMask = google.protobuf.IFieldMask | null | undefined;

/** What differs between the versions. */
export interface QueueForm<WireQueue> {
  readonly version: ApiVersion;
  readonly messages: QueueMessages<WireQueue>;
  readonly toWire: (queue: Queue, readMask?: readonly string[]) => WireQueue;
  readonly fromWire: (wire: WireQueue) => QueueInput;
  readonly updateMask: (mask: WireMask) => string[] | undefined;
  readonly readMask: (mask: WireMask) => string[] | undefined;
}

interface QueueMessages<WireQueue> {
  readonly ListQueuesRequest: Decoder<{
    parent: string;
    filter: string;
    pageSize: number;
    pageToken: string;
    readMask?: WireMask;
  }>;
  readonly ListQueuesResponse: Encoder<{ queues: WireQueue[]; nextPageToken: string }>;
  readonly GetQueueRequest: Decoder<{ name: string; readMask?: WireMask }>;
  readonly CreateQueueRequest: Decoder<{ parent: string; queue?: WireQueue | null }>;
  readonly UpdateQueueRequest: Decoder<{ queue?: WireQueue | null; updateMask?: WireMask }>;
  readonly PurgeQueueRequest: Decoder<{ name: string }>;
  readonly PauseQueueRequest: Decoder<{ name: string }>;
  readonly ResumeQueueRequest: Decoder<{ name: string }>;
  readonly Queue: Encoder<WireQueue>;
}

const V2: QueueForm<google.cloud.tasks.v2.IQueue> = {
  version: 'v2',
  messages: v2,
  toWire: queueToWire,
  fromWire: queueInputFromWire,
  updateMask: v2QueueMask,
  readMask: () => undefined,
};

const V2BETA3: QueueForm<google.cloud.tasks.v2beta3.IQueue> = {
  version: 'v2beta3',
  messages: v2beta3,
  toWire: (queue, readMask) => inMask(betaQueueToWire(queue), readMask),
  fromWire: betaQueueInputFromWire,
  updateMask: betaQueueMask,
  readMask: betaReadMask,
};

export function queueVerbs(api: CloudTasksApi, version: ApiVersion): GrpcVerb[] {
  return version === 'v2' ? verbsInForm(api, V2) : verbsInForm(api, V2BETA3);
}

export function verbsInForm<WireQueue extends object>(
  api: CloudTasksApi,
  form: QueueForm<WireQueue>,
): GrpcVerb[] {
  const { version, messages, toWire } = form;
  const { Queue } = messages;
  const verb = verbsOf(`google.cloud.tasks.${version}.CloudTasks`);
  const fromWire = (wire: WireQueue | null | undefined) => form.fromWire(wire ?? ({} as WireQueue));
  return [
    verb('ListQueues', messages.ListQueuesRequest, messages.ListQueuesResponse, async (request) => {
      const { parent, filter } = request;
      const readMask = form.readMask(request.readMask);
      const { queues, nextPageToken = '' } = await api.listQueues(
        present<ListQueuesRequest>({
          parent,
          filter: fromText(filter),
          readMask,
          ...page(request),
        }),
      );
      return { queues: queues.map((queue) => toWire(queue, readMask)), nextPageToken };
    }),
    verb('GetQueue', messages.GetQueueRequest, Queue, async (request) => {
      const readMask = form.readMask(request.readMask);
      const { name } = request;
      return toWire(await api.getQueue(present<GetQueueRequest>({ name, readMask })), readMask);
    }),
    verb('CreateQueue', messages.CreateQueueRequest, Queue, async ({ parent, queue }) =>
      toWire(await api.createQueue({ parent, queue: fromWire(queue), version })),
    ),
    verb('UpdateQueue', messages.UpdateQueueRequest, Queue, async (request) => {
      const update = present<UpdateQueueRequest>({
        queue: fromWire(request.queue),
        updateMask: form.updateMask(request.updateMask),
        version,
      });
      return toWire(await api.updateQueue(update));
    }),
    verb('PurgeQueue', messages.PurgeQueueRequest, Queue, async ({ name }) =>
      toWire(await api.purgeQueue({ name })),
    ),
    verb('PauseQueue', messages.PauseQueueRequest, Queue, async ({ name }) =>
      toWire(await api.pauseQueue({ name })),
    ),
    verb('ResumeQueue', messages.ResumeQueueRequest, Queue, async ({ name }) =>
      toWire(await api.resumeQueue({ name })),
    ),
  ];
}

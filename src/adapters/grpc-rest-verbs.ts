/** The verbs as REST has them: gRPC's, but with v2's queues as wide as they are at Google. */
import type { google } from '@google-cloud/tasks/build/protos';
import type { Root } from 'protobufjs';
import type { EngineApi } from '../engine/engine-api.js';
import type { QueueForm } from './grpc-queue-verbs.js';
import { verbsInForm } from './grpc-queue-verbs.js';
import type { Decoder, Encoder, GrpcVerb } from './grpc-verb.js';
import { operationVerbs } from './grpc-mixin-verbs.js';
import { grpcVerbs } from './grpc-verbs.js';
import { httpTargetFromWire, httpTargetToWire } from './wire-http-target.js';
import { queueInputFromWire, queueToWire, V2_SETTINGS, v2QueueMask } from './wire-queue.js';

/** v2's REST can route a queue's HTTP tasks, which gcloud does. Its published proto can't yet. */
type WideQueue = google.cloud.tasks.v2.IQueue & {
  httpTarget?: google.cloud.tasks.v2beta3.IHttpTarget | null;
};

/** @param root protos in which v2's Queue has that field too. */
export function restVerbs(api: EngineApi, root: Root): GrpcVerb[] {
  const wide = verbsInForm(api, wideForm(root));
  const paths = new Set(wide.map(({ path }) => path));
  const others = [...grpcVerbs(api), ...operationVerbs(api)];
  return [...wide, ...others.filter(({ path }) => !paths.has(path))];
}

function wideForm(root: Root): QueueForm<WideQueue> {
  return {
    version: 'v2',
    messages: {
      ListQueuesRequest: codec(root, 'ListQueuesRequest'),
      ListQueuesResponse: codec(root, 'ListQueuesResponse'),
      GetQueueRequest: codec(root, 'GetQueueRequest'),
      CreateQueueRequest: codec(root, 'CreateQueueRequest'),
      UpdateQueueRequest: codec(root, 'UpdateQueueRequest'),
      PurgeQueueRequest: codec(root, 'PurgeQueueRequest'),
      PauseQueueRequest: codec(root, 'PauseQueueRequest'),
      ResumeQueueRequest: codec(root, 'ResumeQueueRequest'),
      Queue: codec(root, 'Queue'),
    },
    toWire: (queue) => ({
      ...queueToWire(queue),
      httpTarget: queue.httpTarget ? httpTargetToWire(queue.httpTarget) : null,
    }),
    fromWire: ({ httpTarget, ...queue }) => ({
      ...queueInputFromWire(queue),
      ...(httpTarget ? { httpTarget: httpTargetFromWire(httpTarget) } : {}),
    }),
    updateMask: (mask) => v2QueueMask(mask, [...V2_SETTINGS, 'httpTarget']),
    readMask: () => undefined,
  };
}

/** Reads and writes a message of v2 by its proto; its shape is known from the compiled ones. */
function codec<Shape>(root: Root, name: string): Decoder<Shape> & Encoder<Shape> {
  const type = root.lookupType(`google.cloud.tasks.v2.${name}`);
  return {
    decode: (bytes) => type.decode(bytes) as unknown as Shape,
    encode: (message) => type.encode(message as object),
  };
}

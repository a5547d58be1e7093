/** The gRPC service itself: which method runs which verb, and how an error becomes a status. */
import { google } from '@google-cloud/tasks/build/protos';
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import { Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import type { Socket } from 'node:net';
import type { EngineApi } from '../engine/engine-api.js';
import { refusal } from '../engine/error-catalogue.js';
import { CloudTasksError } from '../engine/errors.js';
import { mixinVerbs } from './grpc-mixin-verbs.js';
import { grpcVerbs } from './grpc-verbs.js';
import { detailsToWire } from './wire-error.js';
import { toCode } from './wire.js';

/** Production refuses a call whose client would wait longer. */
const MOST_DEADLINE_MS = 30_000;

/** A status travels in headers, whose size is limited; a bad name that it quotes may be any size. */
const MOST_MESSAGE = 2_000;

export interface GrpcOptions {
  readonly api: EngineApi;
  /** Told why a verb failed of itself; its caller gets a bare INTERNAL. */
  readonly onError: (error: unknown) => void;
}

export interface GrpcService {
  readonly server: Server;
  readonly inject: (socket: Socket) => void;
}

/** Methods that aren't served are answered UNIMPLEMENTED with their path. */
export function grpcService({ api, onError }: GrpcOptions): GrpcService {
  const server = new Server({ 'grpc.enable_channelz': 0 });
  // Google's client gives the mixins a longer deadline by itself, so production must take it.
  const verbs = [
    ...grpcVerbs(api).map((verb) => ({ ...verb, request: checked })),
    ...mixinVerbs(api).map((verb) => ({ ...verb, request: requestOf })),
  ];
  for (const { path, run, request } of verbs) {
    const handle = (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
      const running = Promise.resolve(call).then(request).then(run);
      running.then(
        (bytes) => answer(null, bytes),
        (error: unknown) => {
          if (!(error instanceof CloudTasksError)) onError(error);
          answer(statusOf(error));
        },
      );
    };
    server.register<Buffer, Buffer>(path, handle, asItIs, asItIs, 'unary');
  }
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return { server, inject: (socket) => injector.injectConnection(socket) };
}

/** The request's bytes, unless production would refuse the call itself. */
function checked(call: ServerUnaryCall<Buffer, Buffer>): Buffer {
  const deadline = Number(call.getDeadline());
  if (deadline - Date.now() > MOST_DEADLINE_MS && deadline !== Infinity) {
    const time = new Date(deadline).toISOString();
    throw refusal('RPC_DEADLINE', { time });
  }
  return call.request;
}

function requestOf(call: ServerUnaryCall<Buffer, Buffer>): Buffer {
  return call.request;
}

function asItIs(bytes: Buffer): Buffer {
  return bytes;
}

/** An error that isn't the API's own says nothing of what went on inside. */
function statusOf(thrown: unknown) {
  const error = thrown instanceof CloudTasksError ? thrown : refusal('INTERNAL', {});
  const code = toCode(error.code);
  // A cut may leave half of a surrogate pair, which no header can carry.
  const message = error.message.slice(0, MOST_MESSAGE).toWellFormed();
  const metadata = new Metadata();
  const details = detailsToWire(error);
  // Only where there are any: for them Google's client rebuilds all its protos.
  if (details.length > 0) {
    const status = google.rpc.Status.encode({ code, message, details });
    metadata.set('grpc-status-details-bin', Buffer.from(status.finish()));
  }
  return { code, details: message, metadata };
}

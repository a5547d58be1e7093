/** The ceiling of the gRPC benchmark: a server that answers every create with the same bytes. */
import { google } from '@google-cloud/tasks/build/protos';
import type { handleUnaryCall } from '@grpc/grpc-js';
import { Server, ServerCredentials } from '@grpc/grpc-js';

const task = google.cloud.tasks.v2.Task.encode({
  name: 'projects/bench/locations/here/queues/q/tasks/17952350160641420472',
  httpRequest: { url: 'http://127.0.0.1:9/target', httpMethod: 'POST' },
  scheduleTime: { seconds: 1_800_000_000 },
  createTime: { seconds: 1_800_000_000 },
  view: 'BASIC',
});
const answer = Buffer.from(task.finish());
const asItIs = (bytes: Buffer): Buffer => bytes;

const createTask: handleUnaryCall<Buffer, Buffer> = (_call, callback) => callback(null, answer);

const server = new Server();
server.register<Buffer, Buffer>(
  '/google.cloud.tasks.v2.CloudTasks/CreateTask',
  createTask,
  asItIs,
  asItIs,
  'unary',
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send?.({ url: `127.0.0.1:${port}` });
});

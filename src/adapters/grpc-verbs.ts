/** Every verb of the CloudTasks services, v2's and v2beta3's, and of CloudScheduler. */
import type { EngineApi } from '../engine/engine-api.js';
import { betaVerbs } from './grpc-beta-verbs.js';
import { jobVerbs } from './grpc-job-verbs.js';
import { queueVerbs } from './grpc-queue-verbs.js';
import { taskVerbs } from './grpc-task-verbs.js';
import type { GrpcVerb } from './grpc-verb.js';

export type { GrpcVerb } from './grpc-verb.js';

export function grpcVerbs(api: EngineApi): GrpcVerb[] {
  const both = (['v2', 'v2beta3'] as const).flatMap((version) => [
    ...queueVerbs(api, version),
    ...taskVerbs(api, version),
  ]);
  return [...both, ...betaVerbs(api), ...jobVerbs(api)];
}

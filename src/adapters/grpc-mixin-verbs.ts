/** Verbs of the services that Google's APIs have in common: locations, and operations. */
import { google } from '@google-cloud/tasks/build/protos';
import type { EngineApi } from '../engine/engine-api.js';
import { page } from './grpc-task-verbs.js';
import type { GrpcVerb } from './grpc-verb.js';
import { verbsOf } from './grpc-verb.js';
import {
  GetLocationRequest,
  ListLocationsRequest,
  ListLocationsResponse,
  LocationMessage,
} from './wire-location.js';
import { operationToWire } from './wire-operation.js';

export function mixinVerbs(api: EngineApi): GrpcVerb[] {
  const location = verbsOf('google.cloud.location.Locations');
  return [
    location('ListLocations', ListLocationsRequest, ListLocationsResponse, (request) =>
      api.listLocations({ name: request.parent, ...page(request) }),
    ),
    location('GetLocation', GetLocationRequest, LocationMessage, ({ name }) =>
      api.getLocation({ name }),
    ),
    ...operationVerbs(api),
  ];
}

export function operationVerbs(api: EngineApi): GrpcVerb[] {
  const verb = verbsOf('google.longrunning.Operations');
  const { GetOperationRequest, Operation } = google.longrunning;
  return [
    verb('GetOperation', GetOperationRequest, Operation, async ({ name }) =>
      operationToWire(await api.getOperation({ name })),
    ),
  ];
}

/** REST itself: which request runs which verb, and what is answered. */
import type { IncomingMessage } from 'node:http';
import type { Method, Root, Type } from 'protobufjs';
import type { EngineApi } from '../engine/engine-api.js';
import { refusal } from '../engine/error-catalogue.js';
import { CloudTasksError } from '../engine/errors.js';
import { addBuffer } from './rest-buffer.js';
import type { RestAnswer } from './rest-error.js';
import { errorAnswer, jsonAnswer } from './rest-error.js';
import { writeMessage } from './rest-json-write.js';
import { addLocations } from './rest-locations.js';
import { loadProtos, loadSchedulerProtos } from './rest-protos.js';
import { readJsonBody, requestMessage, wantsNumericEnums } from './rest-request.js';
import type { HttpRule, RestHandler } from './rest-routes.js';
import { METHODS, RestRoutes } from './rest-routes.js';

/** A verb as gRPC has it, from the bytes of its request to the bytes of its answer. */
export interface RestVerb {
  /** `/google.cloud.tasks.v2.CloudTasks/GetQueue`: what its HTTP rules are found by. */
  readonly path: string;
  readonly run: (request: Uint8Array) => Promise<Uint8Array>;
}

export interface RestOptions {
  readonly api: EngineApi;
  /** Asked for at the first request. */
  readonly verbs: (api: EngineApi, protos: Root) => Promise<readonly RestVerb[]>;
  /** Told why a verb failed of itself; its caller gets a bare INTERNAL. */
  readonly onError: (error: unknown) => void;
}

export class RestService {
  private constructor(
    private readonly routes: RestRoutes,
    private readonly onError: RestOptions['onError'],
  ) {}

  static async create({ api, verbs, onError }: RestOptions): Promise<RestService> {
    const [root, scheduler] = await Promise.all([loadProtos(), loadSchedulerProtos()]);
    const routes = new RestRoutes();
    for (const verb of await verbs(api, root)) {
      if (verb.path.startsWith(SCHEDULER)) addVerb(routes, scheduler, verb);
      else addTaskVerb(routes, root, verb);
    }
    addBuffer(routes, api, root);
    addLocations(routes, api);
    for (const method of METHODS) routes.add({ [method]: '/v2beta2/{all=**}' }, refusePull);
    return new RestService(routes, onError);
  }

  /** Undefined when nothing is served by this method at this path. */
  async answer(http: IncomingMessage): Promise<RestAnswer | undefined> {
    const [path = '', search = ''] = (http.url ?? '').split(/\?(.*)/s);
    const match = this.routes.match(http.method ?? '', path);
    if (!match) return undefined;
    try {
      const { handler, body, variables } = match;
      const query = new URLSearchParams(search);
      return jsonAnswer(200, await handler({ http, body, variables, query }));
    } catch (error) {
      if (!(error instanceof CloudTasksError)) this.onError(error);
      return errorAnswer(error);
    }
  }
}

/** What alpha's commands of gcloud ask for. */
function refusePull(): never {
  throw refusal('V2BETA2', {});
}

const SCHEDULER = '/google.cloud.scheduler.v1.';

/** @returns its handler and the rules that it was added by */
function addVerb(routes: RestRoutes, root: Root, verb: RestVerb) {
  const [, service = '', name = ''] = verb.path.split('/');
  const method = root.lookupService(service).methods[name];
  const { resolvedRequestType: request, resolvedResponseType: answer } = method ?? {};
  if (!method || !request || !answer) throw new Error(`The protos don't have ${verb.path}.`);
  const handler = verbHandler(verb, request, answer);
  const rules = MIXINS[verb.path] ?? rulesOf(method);
  for (const rule of rules) routes.add(rule, handler);
  return { handler, rules, name };
}

function addTaskVerb(routes: RestRoutes, root: Root, verb: RestVerb): void {
  const { handler, rules, name } = addVerb(routes, root, verb);
  if (root.lookupService('google.cloud.tasks.v2.CloudTasks').methods[name]) return;
  // v2's REST is ahead of its proto.
  for (const rule of rules) routes.add(inVersion('v2', rule), handler);
}

/** Where the API has what its own protos don't, by its service configuration. */
const MIXINS: Readonly<Record<string, HttpRule[]>> = {
  '/google.longrunning.Operations/GetOperation': [
    { get: '/v2beta3/{name=projects/*/locations/*/operations/*}' },
  ],
};

function inVersion(version: string, rule: HttpRule): HttpRule {
  return JSON.parse(JSON.stringify(rule).replaceAll('"/v2beta3/', `"/${version}/`)) as HttpRule;
}

function verbHandler(verb: RestVerb, request: Type, answer: Type): RestHandler {
  return async (call) => {
    const message = requestMessage(request, call, await readJsonBody(call.http));
    const bytes = await verb.run(request.encode(message).finish());
    const writing = { numericEnums: wantsNumericEnums(call.query) };
    return writeMessage(answer, answer.decode(bytes), writing);
  };
}

function rulesOf(method: Method): HttpRule[] {
  const options = (method.parsedOptions ?? []) as Record<string, HttpRule | undefined>[];
  return options.flatMap((option) => option['(google.api.http)'] ?? []);
}

/** REST itself: which request runs which verb, and what is answered. */
import type { IncomingMessage } from 'node:http';
import type { Method, Type } from 'protobufjs';
import { CloudTasksError } from '../engine/errors.js';
import type { RestAnswer } from './rest-error.js';
import { errorAnswer, jsonAnswer } from './rest-error.js';
import { writeMessage } from './rest-json-write.js';
import { loadProtos } from './rest-protos.js';
import { readJsonBody, requestMessage, wantsNumericEnums } from './rest-request.js';
import type { HttpRule } from './rest-routes.js';
import { RestRoutes } from './rest-routes.js';

/** A verb as gRPC has it, from the bytes of its request to the bytes of its answer. */
export interface RestVerb {
  /** `/google.cloud.tasks.v2.CloudTasks/GetQueue`: what its HTTP rules are found by. */
  readonly path: string;
  readonly run: (request: Uint8Array) => Promise<Uint8Array>;
}

export interface RestOptions {
  /** Asked for at the first request. */
  readonly verbs: () => Promise<readonly RestVerb[]>;
  /** Told why a verb failed of itself; its caller gets a bare INTERNAL. */
  readonly onError: (error: unknown) => void;
}

interface Call {
  readonly verb: RestVerb;
  readonly request: Type;
  readonly answer: Type;
}

export class RestService {
  private constructor(
    private readonly routes: RestRoutes<Call>,
    private readonly onError: RestOptions['onError'],
  ) {}

  static async create({ verbs, onError }: RestOptions): Promise<RestService> {
    const root = await loadProtos();
    const routes = new RestRoutes<Call>();
    for (const verb of await verbs()) {
      const [, service = '', name = ''] = verb.path.split('/');
      const method = root.lookupService(service).methods[name];
      if (!method?.resolvedRequestType || !method.resolvedResponseType) {
        throw new Error(`The protos don't have ${verb.path}.`);
      }
      const { resolvedRequestType: request, resolvedResponseType: answer } = method;
      for (const rule of rulesOf(method)) routes.add(rule, { verb, request, answer });
    }
    return new RestService(routes, onError);
  }

  /** Undefined when no verb has this method and path. */
  async answer(request: IncomingMessage): Promise<RestAnswer | undefined> {
    const [path = '', search = ''] = (request.url ?? '').split(/\?(.*)/s);
    const match = this.routes.match(request.method ?? '', path);
    if (!match) return undefined;
    const { target } = match;
    try {
      const query = new URLSearchParams(search);
      const message = requestMessage(target.request, match, query, await readJsonBody(request));
      const bytes = await target.verb.run(target.request.encode(message).finish());
      const answer = target.answer.decode(bytes);
      const writing = { numericEnums: wantsNumericEnums(query) };
      return jsonAnswer(200, writeMessage(target.answer, answer, writing));
    } catch (error) {
      if (!(error instanceof CloudTasksError)) this.onError(error);
      return errorAnswer(error);
    }
  }
}

function rulesOf(method: Method): HttpRule[] {
  const options = (method.parsedOptions ?? []) as Record<string, HttpRule | undefined>[];
  return options.flatMap((option) => option['(google.api.http)'] ?? []);
}

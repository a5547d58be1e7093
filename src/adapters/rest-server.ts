/** Serves Cloud Tasks and Cloud Scheduler over REST on the engine's port, by the verbs that gRPC serves. */
import type { IncomingMessage } from 'node:http';
import type { RestAnswer } from './rest-error.js';
import type { RestOptions, RestService } from './rest-service.js';

/** What REST may be asked; all other paths are somebody else's, or nobody's. */
const VERSIONS = /^\/(v1|v2|v2beta[23])\//;

/** The protos are loaded for the first request: most engines see none. */
export class RestServer {
  private service: Promise<RestService> | undefined;

  constructor(private readonly options: RestOptions) {}

  /** Undefined for what isn't served here. */
  readonly answer = async (request: IncomingMessage): Promise<RestAnswer | undefined> => {
    if (!VERSIONS.test(request.url ?? '')) return undefined;
    this.service ??= import('./rest-service.js').then(({ RestService: service }) =>
      service.create(this.options),
    );
    return (await this.service).answer(request);
  };
}

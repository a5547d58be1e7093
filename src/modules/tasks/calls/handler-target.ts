/** Where a handler of ours is called: by HTTP with an ID token, or through App Engine. */
import { Injectable } from '@nestjs/common';
import type { OidcToken, TaskInput } from '../../../engine/cloud-tasks-api.js';
import { CloudTasksError, invalidArgument } from '../../../engine/errors.js';
import { MILLISECOND } from '../../../engine/time.js';
import { HandlerAddress } from './handler-address.js';
import { TasksSettings } from '../module-options.js';
import type { RebuiltRequest } from './rebuilt-request.js';
import type { TaskTarget } from '../target-options.js';
import { DEADLINE_HEADER, IDEMPOTENCY_HEADER } from '../task-headers.js';
import { MOST_URL_LENGTH } from '../../../foundation/url-path.js';
import { DEFAULT_HTTP_DEADLINE } from '../task-limits.js';
import type { ReadOptions, ReadToken } from '../task-options.js';

/** The part of a task that says what is called. */
export type CalledTarget = Pick<TaskInput, 'httpRequest' | 'appEngineHttpRequest'>;

@Injectable()
export class HandlerTarget {
  constructor(
    private readonly settings: TasksSettings,
    private readonly address: HandlerAddress,
  ) {}

  /** @throws CloudTasksError */
  async of(request: RebuiltRequest, options: ReadOptions): Promise<CalledTarget> {
    const { path, method, body } = request;
    const { headers: given, dispatchDeadline, target = 'http', token, idempotencyKey } = options;
    if (token && 'oauth' in token) {
      const message = 'oauth: a handler takes an ID token; access tokens are for Google APIs.';
      throw invalidArgument(message, 'oauth');
    }
    const deadline = dispatchDeadline ?? (target === 'http' ? DEFAULT_HTTP_DEADLINE : undefined);
    const headers = {
      // The arguments' own beat those of the options, or they would not arrive.
      ...Object.fromEntries([...(given ?? []), ...request.headers]),
      ...(deadline === undefined ? {} : { [DEADLINE_HEADER]: String(deadline / MILLISECOND) }),
      ...(idempotencyKey === undefined ? {} : { [IDEMPOTENCY_HEADER]: idempotencyKey }),
    };
    const content = { httpMethod: method, headers, ...(body ? { body } : {}) };
    if (target !== 'http') {
      return { appEngineHttpRequest: { ...content, ...this.appEngine(path, target) } };
    }
    if (this.settings.auth.mode === 'appengine') {
      throw new CloudTasksError(
        'FAILED_PRECONDITION',
        "target: auth mode 'appengine' knows App Engine tasks alone, so it would refuse one by http.",
        { field: 'target' },
      );
    }
    const url = `${await this.address.serviceUrl()}${path}`;
    checkUrlLength(url, request);
    return { httpRequest: { ...content, url, oidcToken: await this.oidcToken(token) } };
  }

  /** Base address of what is called by HTTP; waits, where that is the app's own, until it listens. */
  serviceUrl(): Promise<string> {
    return this.address.serviceUrl();
  }

  /** The token that our handlers accept, but for what the options say. */
  async oidcToken(token?: ReadToken): Promise<OidcToken> {
    const { serviceAccountEmail, audience } = token && 'oidc' in token ? token.oidc : {};
    return {
      serviceAccountEmail: serviceAccountEmail ?? this.settings.serviceAccount,
      audience: audience ?? (await this.address.audience()),
    };
  }

  private appEngine(relativeUri: string, target: Exclude<TaskTarget, 'http'>) {
    if (!['local', 'appengine'].includes(this.settings.auth.mode)) {
      throw new CloudTasksError(
        'FAILED_PRECONDITION',
        `target: an App Engine task carries no token, so auth mode '${this.settings.auth.mode}' would refuse it.`,
        { field: 'target' },
      );
    }
    const { service, version } = target === 'app-engine' ? {} : target;
    const appEngineRouting = {
      ...(service === undefined ? {} : { service }),
      ...(version === undefined ? {} : { version }),
    };
    return { relativeUri, appEngineRouting };
  }
}

function checkUrlLength(url: string, request: RebuiltRequest): void {
  if (url.length <= MOST_URL_LENGTH) return;
  throw invalidArgument(
    `The arguments make a URL of ${url.length} characters; at most ${MOST_URL_LENGTH} are allowed${request.largest('url')}.`,
    'task.httpRequest.url',
  );
}

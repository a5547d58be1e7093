/** Where a call goes that names its URL or path itself, and which token it brings along. */
import { Injectable } from '@nestjs/common';
import type { OAuthToken, OidcToken } from '../../../engine/cloud-tasks-api.js';
import { invalidArgument } from '../../../engine/errors.js';
import { MILLISECOND } from '../../../engine/time.js';
import { HandlerAddress } from './handler-address.js';
import type { CalledTarget } from './handler-target.js';
import { HandlerTarget } from './handler-target.js';
import { TasksSettings } from '../module-options.js';
import type { PlainCall } from './plain-call.js';
import type { OAuthOptions, OidcOptions, TaskTarget } from '../target-options.js';
import { DEADLINE_HEADER } from '../task-headers.js';
import type { ReadOptions } from '../task-options.js';

@Injectable()
export class PlainTarget {
  constructor(
    private readonly settings: TasksSettings,
    private readonly address: HandlerAddress,
    private readonly handlers: HandlerTarget,
  ) {}

  /**
   * @param given the call's own options: the token and headers of `forRoot` are for our handlers
   * @throws CloudTasksError INVALID_ARGUMENT for a token that isn't for this URL
   */
  async http(call: PlainCall, given: ReadOptions, merged: ReadOptions): Promise<CalledTarget> {
    const url = new URL(call.path);
    const { token } = given;
    const isOwn = await this.address.isOwn(url);
    const request = { url: url.href, ...content(call, isOwn ? merged : given, isOwn) };
    if (token && 'oauth' in token) {
      return { httpRequest: { ...request, oauthToken: this.oauthToken(url, token.oauth) } };
    }
    if (isOwn) {
      const oidcToken = await this.handlers.oidcToken(merged.token);
      return { httpRequest: { ...request, oidcToken } };
    }
    const oidcToken = token && (await this.oidcToken(url, token.oidc));
    return { httpRequest: { ...request, ...(oidcToken ? { oidcToken } : {}) } };
  }

  appEngine(
    call: PlainCall,
    target: Exclude<TaskTarget, 'http'>,
    options: ReadOptions,
  ): CalledTarget {
    const { service, version } = target === 'app-engine' ? {} : target;
    const appEngineRouting = {
      ...(service === undefined ? {} : { service }),
      ...(version === undefined ? {} : { version }),
    };
    const request = { relativeUri: call.path, appEngineRouting, ...content(call, options, true) };
    return { appEngineHttpRequest: request };
  }

  private async oidcToken(url: URL, given: OidcOptions): Promise<OidcToken> {
    const { serviceAccountEmail = this.settings.serviceAccount, audience = url.origin } = given;
    const own = this.settings.auth.audience ?? (await this.address.possibleFor(url));
    if (audience === own) {
      throw invalidArgument(
        'oidc.audience: expected one of the URL, got that of our own handlers: whoever is called could call them with it.',
        'oidc.audience',
      );
    }
    return { serviceAccountEmail, audience };
  }

  private oauthToken(url: URL, given: OAuthOptions): OAuthToken {
    if (url.protocol !== 'https:' || !url.hostname.endsWith('.googleapis.com')) {
      throw invalidArgument(
        "oauth: an access token is for https://….googleapis.com only; other URLs take 'oidc'.",
        'oauth',
      );
    }
    const { serviceAccountEmail = this.settings.serviceAccount, scope } = given;
    return { serviceAccountEmail, ...(scope === undefined ? {} : { scope }) };
  }
}

/** @param isOwn whether a handler of ours is told its deadline */
function content(call: PlainCall, { headers, dispatchDeadline }: ReadOptions, isOwn: boolean) {
  const { method, body } = call;
  const told = isOwn && dispatchDeadline !== undefined;
  return {
    httpMethod: method,
    headers: {
      ...Object.fromEntries([...(headers ?? []), ...call.headers]),
      ...(told ? { [DEADLINE_HEADER]: String(dispatchDeadline / MILLISECOND) } : {}),
    },
    ...(body ? { body } : {}),
  };
}

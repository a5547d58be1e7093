/** Makes the calls that the outbound policy permits, and no others. */
import { Agent } from 'undici';
import { invalidArgument } from '../engine/errors.js';
import type { Clock } from '../engine/ports.js';
import type { Duration } from '../engine/time.js';
import { isHeaderName, isHeaderValue, isReserved } from '../foundation/header-rules.js';
import type { Resolve } from './dns-resolve.js';
import type { ConnectorOptions } from './pinned-connector.js';
import { pinnedConnector } from './pinned-connector.js';
import type { OutboundResponse } from './outbound-exchange.js';
import { OutboundExchange } from './outbound-exchange.js';
import type { OutboundPolicy, PermittedTarget } from './outbound-policy.js';

export interface OutboundCall {
  readonly method: OutboundMethod;
  /** A caller's: the rule of the target is applied to them, again. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Our own, which take the place of a caller's: `Idempotency-Key`, `webhook-signature`. */
  readonly own?: Readonly<Record<string, string>>;
  /** Goes out as `Authorization: Bearer`, only where the rule names an audience. */
  readonly idToken?: string;
  readonly body?: string | Uint8Array;
  /** For all of it: look-up, connection, request, and the answer to its last byte. */
  readonly deadline: Duration;
  /** Ends the call, also while its body is read. */
  readonly signal?: AbortSignal;
  /** Bytes a second that a body has to bring on average after a minute. Default 64; 0 for none. */
  readonly minimumRate?: number;
}

export type OutboundMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';

export interface OutboundClientOptions {
  /** Default: DNS. */
  readonly resolve?: Resolve;
  /** Opens a socket to an address that was judged, in place of one over the network. */
  readonly open?: ConnectorOptions['open'];
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const MOST_HEAD_BYTES = 16 * 1024;

/** Idle sockets are dropped before common servers drop them (the shortest known after 2 s). */
const IDLE_LIMIT_MS = 1_000;
const PROMISED_IDLE_LIMIT_MS = 30_000;

/**
 * Nothing is tried again and no redirect is followed: a 3xx is an answer like any other. Proxies of
 * the environment are ignored, since behind one the addresses could not be judged. A call goes out
 * over HTTP/1.1, and asks for a body that isn't compressed.
 */
export class OutboundClient {
  private readonly agent: Agent;

  constructor(
    private readonly policy: OutboundPolicy,
    private readonly clock: Clock,
    { resolve, open }: OutboundClientOptions = {},
  ) {
    this.agent = new Agent({
      connect: pinnedConnector({ resolve, open, loopback: policy.loopback !== 'refused' }),
      // What is open at once is for callers to bound: here a call would wait with its deadline running.
      connections: null,
      allowH2: false,
      pipelining: 1,
      // A call's deadline is the only one: an upstream may be silent for hours.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: IDLE_LIMIT_MS,
      keepAliveMaxTimeout: PROMISED_IDLE_LIMIT_MS,
      maxHeaderSize: MOST_HEAD_BYTES,
    });
  }

  /**
   * @param target is permitted again: rules and own addresses may have changed since it was kept
   * @throws CloudTasksError for what the policy refuses, before anything is looked up
   * @throws OutboundError for what fails on the way; after the head, the body ends with it
   */
  async call({ url }: Pick<PermittedTarget, 'url'>, call: OutboundCall): Promise<OutboundResponse> {
    const target = this.policy.permit(url.href);
    if (!METHODS.includes(call.method)) {
      throw invalidArgument(`method: expected one of ${METHODS.join(', ')}.`, 'method');
    }
    const headers = this.headers(target, call);
    const { deadline, signal, minimumRate = 64, body = null } = call;
    const exchange = new OutboundExchange(this.clock, { deadline, signal, minimumRate });
    if (exchange.isOver) return exchange.response;
    this.agent.dispatch(
      {
        origin: target.url.origin,
        path: target.url.pathname + target.url.search,
        method: call.method,
        headers: [...headers].flat(),
        body,
      },
      exchange,
    );
    return exchange.response;
  }

  /** Ends every call that is open. */
  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private headers({ rule }: PermittedTarget, { headers = {}, own = {}, idToken }: OutboundCall) {
    const sent = new Map<string, string>();
    for (const [name, value] of Object.entries(this.policy.headers(rule, headers))) {
      sent.set(name.toLowerCase(), value);
    }
    for (const [name, value] of Object.entries(own)) {
      const isOurs = name.toLowerCase() !== 'authorization' && !isReserved(name, 'outbound');
      if (!isOurs || !isHeaderName(name) || !isHeaderValue(value)) {
        throw new TypeError(`${name} is no header to send with a call`);
      }
      sent.set(name.toLowerCase(), value);
    }
    if (idToken !== undefined) {
      if (rule.audience === undefined) throw new TypeError('this rule attaches no token');
      sent.set('authorization', `Bearer ${idToken}`);
    }
    return sent.set('accept-encoding', 'identity');
  }
}

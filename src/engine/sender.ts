/** Sends one attempt: made ready, given its token, and cut when its deadline has passed. */
import type { AttemptResult } from './attempt.js';
import type { Prepared } from './dispatch-headers.js';
import { checkTokenTarget } from './dispatch-headers.js';
import type { Clock, Dispatch, NotSent, TokenIssuer, Transport } from './ports.js';
import type { Duration } from './time.js';

export interface SenderPorts {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly tokens: TokenIssuer;
  /** Whether a token may go to this http:// URL. */
  readonly trustsHttp: (url: URL) => boolean;
}

/** Why a request was cut, when that was not for the end of the engine. */
const MISSED = 'dispatch deadline';

export class Sender {
  /** What cuts each request in flight. */
  private readonly cuts = new Set<AbortController>();

  constructor(private readonly ports: SenderPorts) {}

  /** Never rejects. What can't be prepared, for want of a token for one, is a no-response. */
  async send(prepare: () => Prepared, deadline: Duration): Promise<AttemptResult | NotSent> {
    const { clock, transport } = this.ports;
    const cut = new AbortController();
    // By time that passes: no setting of the clock cuts what is in flight, or lets it go on.
    const timer = clock.after(deadline, () => cut.abort(MISSED));
    this.cuts.add(cut);
    try {
      const dispatch = await this.authorized(prepare());
      const result = await transport.send(dispatch, cut.signal);
      const missed = result.kind === 'no-response' && cut.signal.reason === MISSED;
      return missed ? { kind: 'deadline' } : result;
    } catch (error) {
      return { kind: 'no-response', reason: error instanceof Error ? error.message : 'failed' };
    } finally {
      timer.cancel();
      this.cuts.delete(cut);
    }
  }

  /** A token is made just before it is sent, so that a long wait can't let it expire. */
  private async authorized({ dispatch, idToken }: Prepared): Promise<Dispatch> {
    if (!idToken) return dispatch;
    checkTokenTarget(dispatch, this.ports.trustsHttp);
    const token = await this.ports.tokens.idToken(idToken);
    return { ...dispatch, headers: { ...dispatch.headers, Authorization: `Bearer ${token}` } };
  }

  /** Ends what is in flight, as no-responses. */
  cutAll(): void {
    for (const cut of this.cuts) cut.abort();
  }
}

/** Decides whether an ID token proves that an allowed service account calls us. */
import { hash } from 'node:crypto';
import type { Clock } from '../../engine/ports.js';
import type { Duration, Instant } from '../../engine/time.js';
import { MINUTE } from '../../engine/time.js';
import type { AllowedAccount } from './auth-options.js';
import { emailOf } from './auth-options.js';
import type { Claims } from './id-token.js';
import {
  bearerToken,
  claimsWithoutSignature,
  checkPurpose,
  checkTimes,
  ID_TOKEN,
  shown,
  signedClaims,
} from './id-token.js';
import type { KeySet } from './key-set.js';
import { forbidden } from './refusal.js';

/** A verified token is remembered for a while: its signature costs more than all the rest. */
const MOST_REMEMBERED = 1_000;
const REMEMBERED_FOR: Duration = 5 * MINUTE;

export interface TokenRules {
  readonly issuers: readonly string[];
  readonly audience: string;
  /** One that is named twice, with its id and without, is let in with that id alone. */
  readonly accounts: readonly AllowedAccount[];
  /** Whether to believe a token whose signature the platform has checked and removed. */
  readonly signatureRemoved?: boolean;
}

export interface Caller {
  readonly email: string;
  /** The account's numeric id. */
  readonly subject: string | undefined;
}

interface Remembered {
  readonly caller: Caller;
  readonly until: Instant;
}

export class OidcVerifier {
  private readonly remembered = new Map<string, Remembered>();
  /** The ids that go with an address; with none, any does. */
  private readonly subjects = new Map<string, Set<string>>();

  constructor(
    private readonly keys: KeySet,
    private readonly rules: TokenRules,
    private readonly clock: Clock,
  ) {
    for (const account of rules.accounts) {
      const subjects = this.subjects.get(emailOf(account)) ?? new Set();
      this.subjects.set(emailOf(account), subjects);
      if (typeof account !== 'string') subjects.add(account.subject);
    }
  }

  /**
   * @param authorization every value of the `Authorization` header
   * @throws Refusal
   */
  async verify(authorization: readonly string[]): Promise<Caller> {
    const now = this.clock.now();
    // Of the header as it came: of what is known nothing has to be looked at again.
    const digest = hash('sha256', authorization.join('\n'), 'base64');
    const known = this.remembered.get(digest);
    if (known && now < known.until) return known.caller;
    const claims = await this.claims(bearerToken(authorization));
    const until = checkTimes(claims, now, ID_TOKEN);
    const caller = this.checkCaller(claims);
    this.remember(digest, { caller, until: Math.min(until, now + REMEMBERED_FOR) });
    return caller;
  }

  private async claims(token: string): Promise<Claims> {
    const removed = this.rules.signatureRemoved ? claimsWithoutSignature(token) : undefined;
    return removed ?? (await signedClaims(token, this.keys, ID_TOKEN));
  }

  /**
   * Any customer of Google's can have a token made for our audience: who it is about decides.
   *
   * @throws Refusal
   */
  private checkCaller(claims: Claims): Caller {
    checkPurpose(claims, this.rules.issuers, this.rules.audience);
    const { email, email_verified: verified, sub } = claims;
    if (typeof email !== 'string' || verified !== true) {
      throw forbidden('the token has no verified e-mail address');
    }
    const subjects = this.subjects.get(email);
    if (!subjects) throw forbidden(`the account ${shown(email)} is not one that may call`);
    const subject = typeof sub === 'string' ? sub : undefined;
    // An account that was deleted and made again has its address, but another id.
    if (subjects.size > 0 && (subject === undefined || !subjects.has(subject))) {
      throw forbidden(`the account ${shown(email)} has another id: sub is ${shown(sub)}`);
    }
    return { email, subject };
  }

  private remember(digest: string, entry: Remembered): void {
    this.remembered.delete(digest);
    this.remembered.set(digest, entry);
    for (const oldest of this.remembered.keys()) {
      if (this.remembered.size <= MOST_REMEMBERED) return;
      this.remembered.delete(oldest);
    }
  }
}

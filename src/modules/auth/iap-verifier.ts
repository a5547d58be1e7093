/** Decides whether a request came through Identity-Aware Proxy, and for whom. */
import type { Clock } from '../../engine/ports.js';
import { MINUTE, SECOND } from '../../engine/time.js';
import type { TokenForm } from './id-token.js';
import { checkPurpose, checkTimes, shown, signedClaims, wellFormed } from './id-token.js';
import type { KeySet } from './key-set.js';
import { forbidden, unauthenticated } from './refusal.js';

export const IAP_HEADER = 'x-goog-iap-jwt-assertion';
export const IAP_KEYS = 'https://www.gstatic.com/iap/verify/public_key-jwk';

const ISSUERS = ['https://cloud.google.com/iap'];
/** Ten minutes at most, and Google's 30 seconds of skew at both ends. */
const ASSERTION: TokenForm = {
  algorithm: 'ES256',
  skew: 30 * SECOND,
  mostLifetime: 11 * MINUTE,
};

export class IapVerifier {
  /**
   * @param audience as the console shows it: `/projects/NUMBER/apps/PROJECT_ID` on App Engine
   * @param accounts who may call; absent, everybody whom the proxy lets through
   */
  constructor(
    private readonly keys: KeySet,
    private readonly audience: string,
    private readonly accounts: readonly string[] | undefined,
    private readonly clock: Clock,
  ) {}

  /**
   * The unsigned headers that the proxy adds are never read: they are anybody's where the proxy can
   * be gone around.
   *
   * @param assertion every value of `X-Goog-IAP-JWT-Assertion`
   * @returns the caller's e-mail address
   * @throws Refusal
   */
  async verify([assertion, ...more]: readonly string[]): Promise<string> {
    if (assertion === undefined) throw unauthenticated(`there is no ${IAP_HEADER} header`);
    if (more.length > 0) throw unauthenticated(`there is more than one ${IAP_HEADER} header`);
    const token = wellFormed(assertion, `the ${IAP_HEADER} header holds no token`);
    const claims = await signedClaims(token, this.keys, ASSERTION);
    checkTimes(claims, this.clock.now(), ASSERTION);
    checkPurpose(claims, ISSUERS, this.audience);
    const { email } = claims;
    if (typeof email !== 'string') throw forbidden('the assertion has no e-mail address');
    if (this.accounts && !this.accounts.includes(email)) {
      throw forbidden(`the account ${shown(email)} is not one that may call`);
    }
    return email;
  }
}

/** Looks whether the public keys can be had that tokens are verified with. */
import { SystemClock } from '../../host/system-clock.js';
import type { Section } from './examined.js';
import type { Finding } from './finding.js';
import { fail, ok } from './finding.js';

/** That nobody has. */
const NO_KEY = 'nest-cloud-tasks-doctor';

export const keys: Section = {
  title: 'Keys',
  needs: ['TASKS_BACKEND', 'AUTH_MODE', 'OIDC_ISSUER', 'PRODUCER_AUTH', 'PRODUCER_ISSUER'],
  // Those of an engine in this very process are seen where it is.
  applies: ({ settings: { backend, auth, producer } }) =>
    (backend.kind === 'google' && auth.mode !== 'appengine') ||
    auth.issuer !== undefined ||
    producer.kind === 'oidc' ||
    producer.kind === 'iap',
  async *findings({ settings: { auth, backend, producer }, google: { addresses } }) {
    const byGoogle = { jwksUrl: addresses.keys };
    if (auth.issuer !== undefined) {
      yield await keysOf("handlers' tokens", { issuer: auth.issuer });
    } else if (backend.kind === 'google' && auth.mode !== 'appengine') {
      yield await keysOf("handlers' tokens", byGoogle);
    }
    if (producer.kind === 'oidc') {
      const source = producer.issuer === undefined ? byGoogle : { issuer: producer.issuer };
      yield await keysOf("callers' tokens", source);
    }
    if (producer.kind === 'iap') {
      yield await keysOf("IAP's assertions", { jwksUrl: addresses.iapKeys }, 'ES256');
    }
  },
};

/** By the code that the app gets them with. */
export async function keysOf(
  about: string,
  source: { readonly issuer: string } | { readonly jwksUrl: string },
  algorithm: 'RS256' | 'ES256' = 'RS256',
): Promise<Finding> {
  const { KeySet } = await import('../../modules/auth/key-set.js');
  const { Refusal } = await import('../../modules/auth/refusal.js');
  const { Logger } = await import('@nestjs/common');
  // What the app would log is told as a finding.
  Logger.overrideLogger(false);
  const where = 'issuer' in source ? source.issuer : source.jwksUrl;
  try {
    await new KeySet(source, new SystemClock(), algorithm).find(NO_KEY);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.code === 'UNAVAILABLE') {
      return fail(
        about,
        `${error.reason}, so all of them are answered 503`,
        `Let this network reach ${where}, or correct the issuer`,
      );
    }
  }
  return ok(about, `the keys of ${where} can be had`);
}

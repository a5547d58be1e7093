/** Names, at a handler, the service accounts that may call it in place of those of the app. */
import type { ExecutionContext } from '@nestjs/common';
import { SetMetadata } from '@nestjs/common';
import { ACCOUNT_ADDRESS } from '../../foundation/account-address.js';

const ACCOUNTS = 'nest-cloud-tasks:accounts';

/** Of all handlers: who isn't among them is refused before any of a request's body is read. */
const named = new Set<string>();

/**
 * At a handler or a controller that `TaskGuard` guards: these accounts may call it, and no others;
 * what a handler names beats its controller. In mode `local` every task is the engine's own, so
 * this isn't asked; in mode `appengine` tasks have no account, so nobody may call such a handler.
 *
 * @param accounts e-mail addresses of service accounts, compared exactly
 * @throws Error for none, or what is no address
 */
export function AllowServiceAccounts(
  ...accounts: readonly [string, ...string[]]
): ClassDecorator & MethodDecorator {
  for (const account of accounts) {
    if (!ACCOUNT_ADDRESS.test(account))
      throw new Error(`@AllowServiceAccounts: '${account}' is no address.`);
    named.add(account);
  }
  if (accounts.length < 1) throw new Error('@AllowServiceAccounts: name one account or more.');
  return SetMetadata(ACCOUNTS, accounts);
}

/** @returns undefined where none are named */
export function accountsAllowedBy(context: ExecutionContext): readonly string[] | undefined {
  // In most apps no handler does, and each task would pay for the look.
  if (named.size === 0) return undefined;
  const read = (target: object) =>
    Reflect.getMetadata(ACCOUNTS, target) as readonly string[] | undefined;
  return read(context.getHandler()) ?? read(context.getClass());
}

export function namedAccounts(): ReadonlySet<string> {
  return named;
}

/** Why a request was not let in: the caller learns the status, the log the reason. */
import { HttpException } from '@nestjs/common';
import type { ErrorCode } from '../../engine/errors.js';

export type RefusalCode = Extract<
  ErrorCode,
  'UNAUTHENTICATED' | 'PERMISSION_DENIED' | 'RESOURCE_EXHAUSTED' | 'UNAVAILABLE'
>;

const STATUS: Readonly<Record<RefusalCode, number>> = {
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  UNAVAILABLE: 503,
};

/** The same words for every reason, so that nobody can feel their way through the checks. */
const MESSAGE: Readonly<Record<RefusalCode, string>> = {
  UNAUTHENTICATED: 'Only verified tasks are let in.',
  PERMISSION_DENIED: 'This caller is not let in.',
  RESOURCE_EXHAUSTED: 'Too many requests.',
  UNAVAILABLE: 'Nobody can be verified at the moment.',
};

export class Refusal extends HttpException {
  /**
   * @param reason for the log alone; never holds any part of a credential
   * @param message for the caller
   */
  constructor(
    readonly code: RefusalCode,
    readonly reason: string,
    message = MESSAGE[code],
  ) {
    super({ statusCode: STATUS[code], code, message }, STATUS[code]);
  }
}

/** No credential, or one that proves nothing. */
export function unauthenticated(reason: string): Refusal {
  return new Refusal('UNAUTHENTICATED', reason);
}

/** A good credential of somebody who may not. */
export function forbidden(reason: string): Refusal {
  return new Refusal('PERMISSION_DENIED', reason);
}

/** Why a request was not let in: the caller learns the status, the log the reason. */
import { HttpException } from '@nestjs/common';
import type { ErrorCode } from '../../engine/errors.js';

type RefusalCode = Extract<ErrorCode, 'UNAUTHENTICATED' | 'PERMISSION_DENIED' | 'UNAVAILABLE'>;

const STATUS: Readonly<Record<RefusalCode, number>> = {
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  UNAVAILABLE: 503,
};

/** The same words for every reason, so that nobody can feel their way through the checks. */
const MESSAGE: Readonly<Record<RefusalCode, string>> = {
  UNAUTHENTICATED: 'Only verified tasks are let in.',
  PERMISSION_DENIED: 'This caller is not let in.',
  UNAVAILABLE: 'Nobody can be verified at the moment.',
};

export class Refusal extends HttpException {
  /** @param reason for the log alone; never holds any part of a credential */
  constructor(
    code: RefusalCode,
    readonly reason: string,
  ) {
    super({ statusCode: STATUS[code], code, message: MESSAGE[code] }, STATUS[code]);
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

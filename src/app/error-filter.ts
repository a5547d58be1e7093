/** Answers every error of the app in one form: `{ statusCode, code, message, field? }`. */
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { Catch, HttpException, Logger } from '@nestjs/common';
import type { Response } from 'express';
import type { ErrorCode } from '../engine/errors.js';
import { CloudTasksError } from '../engine/errors.js';

interface ErrorAnswer {
  readonly statusCode: number;
  /** The name of a google.rpc code. */
  readonly code: ErrorCode;
  readonly message: string;
  readonly field?: string;
}

export const STATUS: Readonly<Record<ErrorCode, number>> = {
  CANCELLED: 499,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 504,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 412,
  ABORTED: 409,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  UNAUTHENTICATED: 401,
  UNKNOWN: 500,
};

export const CODE: Readonly<Record<number, ErrorCode>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  405: 'UNIMPLEMENTED',
  409: 'ABORTED',
  412: 'FAILED_PRECONDITION',
  429: 'RESOURCE_EXHAUSTED',
  501: 'UNIMPLEMENTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('Errors');

  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const answer = errorAnswer(error);
    if (answer.statusCode >= 500 && !(error instanceof HttpException)) this.logger.error(error);
    if (response.headersSent) {
      // Too late for an answer: a broken connection at least isn't taken for a whole one.
      response.destroy();
    } else {
      // The route may have said another type, of what it then didn't answer.
      response.status(answer.statusCode).type('json').json(answer);
    }
  }
}

function errorAnswer(error: unknown): ErrorAnswer {
  if (error instanceof CloudTasksError) {
    const statusCode = STATUS[error.code];
    return answer(statusCode, error.code, error.message, error.field);
  }
  if (error instanceof HttpException) return fromHttp(error);
  return answer(500, 'INTERNAL', '');
}

/** Nest's own exceptions, and those that say a code and a field besides. */
function fromHttp(error: HttpException): ErrorAnswer {
  const statusCode = error.getStatus();
  const body = error.getResponse();
  const given = typeof body === 'object' ? (body as Readonly<Record<string, unknown>>) : {};
  const code = Object.keys(STATUS).find((name): name is ErrorCode => name === given['code']);
  const field = typeof given['field'] === 'string' ? given['field'] : undefined;
  const fallback = statusCode < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL';
  return answer(statusCode, code ?? CODE[statusCode] ?? fallback, error.message, field);
}

function answer(statusCode: number, code: ErrorCode, message: string, field?: string): ErrorAnswer {
  // What went wrong inside is for the log.
  const shown = statusCode === 500 ? 'Internal error.' : message;
  return { statusCode, code, message: shown, ...(field === undefined ? {} : { field }) };
}

/** Reads the body of a job's task as strictly as the endpoint that enqueues it reads its own. */
import type { PipeTransform } from '@nestjs/common';
import { BadRequestException } from '@nestjs/common';
import { isUtf8 } from 'node:buffer';
import { CloudTasksError } from '../../engine/errors.js';
import { Fields } from '../producer/fields.js';

export class JobBody<Value> implements PipeTransform<unknown, Value> {
  constructor(
    private readonly fields: readonly string[],
    private readonly read: (fields: Fields) => Value,
  ) {}

  /** @throws BadRequestException for a body that no further attempt would make a good one */
  transform(body: unknown): Value {
    try {
      return this.read(new Fields(jsonText(body), this.fields));
    } catch (error) {
      if (!(error instanceof CloudTasksError) || error.code !== 'INVALID_ARGUMENT') throw error;
      const { code, field, message } = error;
      throw new BadRequestException({ message, code, field }, { cause: error });
    }
  }
}

function jsonText(body: unknown): string {
  try {
    // What came without a type, as gcloud's tasks do.
    if (Buffer.isBuffer(body)) return textOf(body);
    // No body at all asks for nothing in particular.
    return body === undefined ? '{}' : JSON.stringify(body);
  } catch (error) {
    // Nested so deep that nobody can write it again.
    throw new BadRequestException('The body is nested too deep.', { cause: error });
  }
}

function textOf(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString();
  throw new BadRequestException('The body is not valid UTF-8.');
}

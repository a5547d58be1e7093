/** Takes in a request's JSON body: its type, its size and its bytes, strictly, before any parsing. */
import { UnsupportedMediaTypeException } from '@nestjs/common';
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { invalidArgument } from '../../engine/errors.js';
import { readBytes } from '../../foundation/request-bytes.js';

/** A task of 1 MiB fits also when its text needs escapes. */
export const MAX_BODY_BYTES = 2 * 1024 * 1024;

/**
 * The text of a request that says it is JSON.
 *
 * Express's own parser takes a missing content type for an empty body, and replaces bytes that
 * are not UTF-8 without a word.
 *
 * @throws UnsupportedMediaTypeException 415, PayloadTooLargeException 413, CloudTasksError
 */
export async function readJsonText(request: IncomingMessage): Promise<string> {
  checkContentType(request.headersDistinct['content-type'] ?? []);
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined) {
    throw new UnsupportedMediaTypeException('Send the body without a Content-Encoding.');
  }
  const bytes = await readBytes(request, MAX_BODY_BYTES);
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw invalidArgument('The body must not begin with a byte order mark.');
  }
  if (!isUtf8(bytes)) throw invalidArgument('The body is not valid UTF-8.');
  return bytes.toString();
}

function checkContentType(given: readonly string[]): void {
  const [type = '', ...parameters] = (given[0] ?? '').split(';').map((part) => part.trim());
  const charsets = parameters.flatMap((parameter) => {
    const [name = '', value = ''] = parameter.split('=', 2);
    return name.trim().toLowerCase() === 'charset' ? [value.trim().replace(/^"(.*)"$/, '$1')] : [];
  });
  if (
    given.length !== 1 ||
    type.toLowerCase() !== 'application/json' ||
    charsets.length > 1 ||
    charsets.some((charset) => charset.toLowerCase() !== 'utf-8')
  ) {
    throw new UnsupportedMediaTypeException(
      'Send the body as JSON in UTF-8, with Content-Type: application/json.',
    );
  }
}

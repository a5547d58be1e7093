/** Refuses JSON and text that a handler would be given as something else than was sent, and JSON that it couldn't write again. */
import { BadRequestException, UnsupportedMediaTypeException } from '@nestjs/common';
import { isUtf8 } from 'node:buffer';

/**
 * More than any argument may have. Text of some thousand levels can be read but not written again:
 * it overflows the stack, and a task that did would fail in each attempt by a mistake of ours.
 */
const MOST_DEPTH = 100;

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Before it is parsed: Express's parser would replace what isn't UTF-8 without a word.
 *
 * @param charset as the content type names it, in lower case
 * @throws UnsupportedMediaTypeException, BadRequestException
 */
export function checkTaskJson(bytes: Buffer, charset: string): void {
  if (charset !== 'utf-8') {
    throw new UnsupportedMediaTypeException(`JSON must be in UTF-8, got charset ${charset}.`);
  }
  if (!isUtf8(bytes)) throw new BadRequestException('The JSON is not valid UTF-8.');
  if (nestsDeeper(bytes, MOST_DEPTH)) {
    throw new BadRequestException(`The JSON is nested more than ${MOST_DEPTH} levels deep.`);
  }
}

/**
 * In another charset it is as its sender wrote it: each of its bytes is some character there.
 *
 * @throws BadRequestException
 */
export function checkTaskText(bytes: Buffer, charset: string): void {
  if (charset === 'utf-8' && !isUtf8(bytes)) {
    throw new BadRequestException('The text is not valid UTF-8.');
  }
}

/** What is no JSON may be told deeper or not; the parser refuses it either way. */
function nestsDeeper(bytes: Buffer, most: number): boolean {
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case QUOTE:
        at = endOfString(bytes, at + 1);
        break;
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        if (++depth > most) return true;
        break;
      case CLOSE_ARRAY:
      case CLOSE_OBJECT:
        depth--;
        break;
      default:
    }
  }
  return false;
}

function endOfString(bytes: Buffer, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

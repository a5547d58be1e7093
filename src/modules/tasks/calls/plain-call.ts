/** Reads calls that name a URL or a path themselves: what is called, with which body. */
import type { HttpMethod } from '../../../engine/cloud-tasks-api.js';
import { invalidArgument } from '../../../engine/errors.js';
import { printable } from '../../../foundation/printable.js';
import { jsonText } from './json-body.js';
import type { Identified } from './task-id.js';
import { isHeaderValue } from '../../../foundation/header-rules.js';
import { MOST_URL_LENGTH } from '../../../foundation/url-path.js';
import { refuseUnknown, shown } from '../unknown-option.js';

interface Content {
  /** A string goes as text, bytes as they are, anything else as JSON. Default: no body. */
  readonly payload?: unknown;
  /** Default POST. */
  readonly method?: HttpMethod | undefined;
  /** Default: by the payload's kind, with UTF-8 for text. */
  readonly contentType?: string | undefined;
}

export interface HttpCall extends Content {
  /** `https://api.example.com/hooks/1` */
  readonly url: string;
}

export interface AppEngineCall extends Content {
  /** The path and query: `/tasks/example`. Default `/`. */
  readonly relativeUri?: string | undefined;
}

/** A call as it was read; its `path` is a whole URL where that is what was given. */
export interface PlainCall extends Identified {
  readonly method: HttpMethod;
  largest(): string;
}

const METHODS = ['POST', 'GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];

/** @throws CloudTasksError INVALID_ARGUMENT */
export function readHttpCall(call: HttpCall): PlainCall {
  refuseUnknown(call, ['url', 'payload', 'method', 'contentType'], 'an HTTP call');
  const url = readUrl(call.url);
  return read(call, ['POST', 'PUT', 'PATCH'], url.href, `${url.origin}${url.pathname}`);
}

/** @throws CloudTasksError INVALID_ARGUMENT */
export function readAppEngineCall(call: AppEngineCall): PlainCall {
  refuseUnknown(call, ['relativeUri', 'payload', 'method', 'contentType'], 'an App Engine call');
  const uri: unknown = call.relativeUri ?? '/';
  if (typeof uri !== 'string' || !/^\/(?!\/)[\x21-\x7e]*$/.test(uri) || /[\\#]/.test(uri)) {
    throw invalidArgument(
      `relativeUri: expected a percent-encoded path that starts with one '/', got ${shown(uri)}.`,
      'relativeUri',
    );
  }
  refuseLong('relativeUri', uri);
  return read(call, ['POST', 'PUT'], uri, uri.replace(/\?.*/s, ''));
}

function readUrl(text: unknown): URL {
  // The parser drops blanks and takes a backslash for a slash, both without a word.
  const url = typeof text === 'string' && !/[\0-\x20\x7f\\#]/.test(text) ? URL.parse(text) : null;
  const isPlain = url && /^https?:$/.test(url.protocol) && !url.username && !url.password;
  if (!isPlain) {
    throw invalidArgument(
      `url: expected an http(s) URL without user, blanks or fragment, got ${shownUrl(text)}.`,
      'url',
    );
  }
  refuseLong('url', url.href);
  return url;
}

/** Without what may be a password. */
function shownUrl(text: unknown): string {
  return shown(typeof text === 'string' ? text.replace(/\/\/.*@/s, '//…@') : text);
}

function refuseLong(field: string, text: string): void {
  if (text.length <= MOST_URL_LENGTH) return;
  throw invalidArgument(
    `${field}: expected at most ${MOST_URL_LENGTH} characters when encoded, got ${text.length}.`,
    field,
  );
}

function read(
  { payload, method = 'POST', contentType }: Content,
  withBody: readonly string[],
  path: string,
  callee: string,
): PlainCall {
  if (!METHODS.includes(method)) {
    const expected = METHODS.join(', ');
    throw invalidArgument(`method: expected one of ${expected}, got ${shown(method)}.`, 'method');
  }
  if (payload !== undefined && !withBody.includes(method)) {
    throw invalidArgument(
      `payload: only ${withBody.join(', ')} can carry one to this target, got method ${method}.`,
      'payload',
    );
  }
  if (contentType !== undefined && !isContentType(contentType)) {
    throw invalidArgument(
      `contentType: expected one such as 'text/xml', got ${shown(contentType)}.`,
      'contentType',
    );
  }
  const { type, body } = contentOf(payload);
  const headers = new Map(body === undefined ? [] : [['content-type', contentType ?? type]]);
  return {
    method,
    callee: `${method} ${callee}`,
    path,
    headers,
    ...(body === undefined ? {} : { body }),
    largest: () => '',
  };
}

function isContentType(text: unknown): boolean {
  return typeof text === 'string' && text.includes('/') && isHeaderValue(text);
}

function contentOf(payload: unknown): { readonly type: string; readonly body?: Uint8Array } {
  const encoder = new TextEncoder();
  if (payload === undefined) return { type: '' };
  if (ArrayBuffer.isView(payload)) {
    const { buffer, byteOffset, byteLength } = payload;
    // A copy: the original may lie in a shared pool, which is copied whole between threads.
    const body = new Uint8Array(buffer, byteOffset, byteLength).slice();
    return { type: 'application/octet-stream', body };
  }
  if (typeof payload === 'string') {
    if (!payload.isWellFormed()) {
      throw invalidArgument(
        `payload: expected text without lone surrogates, got '${printable(payload)}'.`,
        'payload',
      );
    }
    return { type: 'text/plain; charset=utf-8', body: encoder.encode(payload) };
  }
  const json = jsonText(payload, (expected, came, path = '') => {
    const where = path === '' ? '' : ` at ${path}`;
    throw invalidArgument(`payload: expected ${expected}, got ${came}${where}.`, `payload${path}`);
  });
  return { type: 'application/json', body: encoder.encode(json) };
}

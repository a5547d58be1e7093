/** Asks the source for an entity: whether it has it, whether it changed, and how new it is. */
import { HttpException } from '@nestjs/common';
import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import type { Entity, EntityVersion } from '../../foundation/app-records.js';
import type { Clock } from '../../engine/ports.js';
import type { Duration } from '../../engine/time.js';
import { MILLISECOND, SECOND } from '../../engine/time.js';
import { isHeaderValue } from '../../foundation/header-rules.js';
import { OutboundClient } from '../../outbound/outbound-client.js';
import type { OutboundResponse } from '../../outbound/outbound-exchange.js';
import { OutboundPolicy } from '../../outbound/outbound-policy.js';
import { PermanentFailure } from '../dead-letters/handler-failures.js';
import { parseInstant } from '../producer/instant-text.js';
import { readJsonObject } from '../producer/json-object.js';

export interface SyncSourceOptions {
  /** An entity's address is this, a slash, and its id. */
  readonly url: string;
  /** Whether the source may be on this machine. */
  readonly loopback: boolean;
}

export type SourceAnswer =
  | { readonly kind: 'gone' }
  /** Since the one of the etag that was sent. */
  | { readonly kind: 'not-modified' }
  | { readonly kind: 'found'; readonly entity: Pick<Entity, 'content' | 'etag' | 'version'> };

const DEADLINE: Duration = 30 * SECOND;
const MOST_BYTES = 1024 * 1024;
/** These say that they will pass, or that it is ours to mend: the entity is none the worse for it. */
const WORTH_ANOTHER = new Set([401, 403, 407, 408, 409, 421, 423, 425, 429]);

export class SyncSource {
  private readonly client: OutboundClient;
  private readonly policy: OutboundPolicy;
  private readonly base: string;

  constructor({ url, loopback }: SyncSourceOptions, clock: Clock) {
    this.base = url.replace(/\/+$/, '');
    // A policy of its own: that this app reads there doesn't mean that callers may have it called.
    this.policy = new OutboundPolicy({
      rules: [{ origin: new URL(url).origin }],
      loopback: loopback ? 'by-rule' : 'refused',
    });
    this.client = new OutboundClient(this.policy, clock);
  }

  /**
   * @param etag of what is kept, so that the source need not send it again
   * @throws PermanentFailure for what it will never answer, other errors for what may pass
   */
  async fetch(id: string, etag: string | undefined, signal: AbortSignal): Promise<SourceAnswer> {
    const response = await this.client.call(this.policy.permit(`${this.base}/${id}`), {
      method: 'GET',
      own: { Accept: 'application/json', ...(etag === undefined ? {} : { 'If-None-Match': etag }) },
      deadline: DEADLINE,
      signal,
    });
    const { status, body } = response;
    if (status === 200) return found(response);
    // Nobody reads what it says.
    body.destroy();
    if (status === 304 && etag !== undefined) return { kind: 'not-modified' };
    if (status === 404 || status === 410) return { kind: 'gone' };
    throw failure(response);
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

async function found({ headers, body }: OutboundResponse): Promise<SourceAnswer> {
  const type = single(headers['content-type']);
  if (!/^application\/(?:[\w.+-]+\+)?json\b/i.test(type)) {
    body.destroy();
    throw new Error(`The source answered with '${type.slice(0, 60)}' in place of JSON.`);
  }
  const content = await readText(body);
  const etag = single(headers['etag']);
  const version = versionOf(content, single(headers['last-modified']));
  const entity = {
    content,
    // As it has to be sent back.
    ...(etag !== '' && isHeaderValue(etag) ? { etag } : {}),
    ...(version ? { version } : {}),
  };
  return { kind: 'found', entity };
}

async function readText(body: Readable): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MOST_BYTES) throw new PermanentFailure(`The source's entity is larger than 1 MiB.`);
    parts.push(part);
  }
  const all = Buffer.concat(parts);
  if (!isUtf8(all)) throw new Error("The source's answer is not valid UTF-8.");
  return all.toString();
}

/**
 * In this order: a field `version`, a whole number; a field `updated_at` or `updatedAt`, an instant;
 * the header `Last-Modified`. Read off the text, as a number may be larger than JavaScript's.
 *
 * @throws Error for what is no JSON object
 */
function versionOf(content: string, lastModified: string): EntityVersion | undefined {
  const fields = readJsonObject(content);
  const version = fields.get('version') ?? '';
  if (/^-?\d{1,18}$/.test(version)) return { kind: 'version', value: BigInt(version) };
  const updatedAt = fields.get('updated_at') ?? fields.get('updatedAt') ?? '';
  const instant = updatedAt.startsWith('"')
    ? parseInstant(JSON.parse(updatedAt) as string)
    : undefined;
  if (instant !== undefined) return { kind: 'updated_at', value: BigInt(instant) };
  const date = Date.parse(lastModified);
  if (Number.isNaN(date)) return undefined;
  return { kind: 'last-modified', value: BigInt(date * MILLISECOND) };
}

function failure({ status, headers }: OutboundResponse): Error {
  const message = `The source answered ${status}.`;
  const retryAfter = single(headers['retry-after']);
  if (retryAfter !== '' && (WORTH_ANOTHER.has(status) || status === 503)) {
    // Whoever judges the attempt reads it there.
    return Object.assign(new HttpException(message, status), {
      headers: { 'Retry-After': retryAfter },
    });
  }
  const isFinal = status >= 400 && status < 500 && !WORTH_ANOTHER.has(status);
  return isFinal ? new PermanentFailure(message) : new Error(message);
}

function single(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

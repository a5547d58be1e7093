/** Signs what is sent to other people's servers, and verifies what comes: Standard Webhooks, with HMAC. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { CloudTasksError, invalidArgument } from '../engine/errors.js';

/** What is signed: the id is the same for each attempt, the time is that of this one. */
export interface SignedWebhook {
  readonly id: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  /** Byte for byte as it is sent. */
  readonly body: string | Uint8Array;
}

/** By name, in any case; as `request.headers` of Node has them. */
export type WebhookHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface WebhookRules {
  /** How far the time of a webhook may be from now. Default 300 seconds. */
  readonly toleranceSeconds?: number;
  /** Seconds since 1970. Default: the machine's clock. */
  readonly now?: number;
}

const TOLERANCE = 300;
const LEAST_KEY = 24;
const LONGEST_KEY = 64;

/**
 * The headers that say who sent a webhook, signed with each of the secrets: while a receiver changes
 * from one to the next, either is right.
 *
 * @param secrets `whsec_` and base64 of 24 to 64 bytes
 * @throws CloudTasksError INVALID_ARGUMENT for what is no secret; never shows it
 */
export function signWebhook(
  webhook: SignedWebhook,
  secrets: readonly string[],
): Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string> {
  const signatures = secrets.map(
    (secret) => `v1,${mac(webhook, keyOf(secret)).toString('base64')}`,
  );
  return {
    'webhook-id': webhook.id,
    'webhook-timestamp': String(webhook.timestamp),
    'webhook-signature': signatures.join(' '),
  };
}

/**
 * Says that a webhook was sent by somebody who has the secret, lately. A receiver that has seen its
 * id before leaves it: each may come more than once.
 *
 * @param body byte for byte as it came, before anything has parsed it
 * @param secrets of which one has to fit: the current one, and the previous one while it changes
 * @returns its id
 * @throws CloudTasksError UNAUTHENTICATED with a reason for the log; never part of a signature
 */
export function verifyWebhook(
  headers: WebhookHeaders,
  body: string | Uint8Array,
  secrets: string | readonly string[],
  { toleranceSeconds = TOLERANCE, now = Date.now() / 1000 }: WebhookRules = {},
): string {
  const id = single(headers, 'webhook-id');
  const time = single(headers, 'webhook-timestamp');
  const signature = single(headers, 'webhook-signature');
  if (!/^\d{1,12}$/.test(time)) refuse('its webhook-timestamp is no time');
  const timestamp = Number(time);
  if (Math.abs(now - timestamp) > toleranceSeconds) {
    refuse(`its webhook-timestamp is more than ${toleranceSeconds} seconds away from now`);
  }
  const given = signature.split(' ').flatMap((each) => {
    const [, base64] = /^v1,([A-Za-z0-9+/]{43}=)$/.exec(each) ?? [];
    return base64 === undefined ? [] : [Buffer.from(base64, 'base64')];
  });
  const keys = (typeof secrets === 'string' ? [secrets] : secrets).map(keyOf);
  const expected = keys.map((key) => mac({ id, timestamp, body }, key));
  // Each with each: how long it takes says nothing.
  const fits = expected.flatMap((one) => given.filter((other) => timingSafeEqual(one, other)));
  if (fits.length === 0) refuse('none of its signatures fits');
  return id;
}

/** Whether a text is a secret that webhooks can be signed with. */
export function isWebhookSecret(text: string): boolean {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  const { length } = Buffer.from(base64 ?? '', 'base64');
  return length >= LEAST_KEY && length <= LONGEST_KEY;
}

function keyOf(secret: string): Buffer {
  if (isWebhookSecret(secret)) return Buffer.from(secret.slice('whsec_'.length), 'base64');
  throw invalidArgument(
    `A webhook secret must be 'whsec_' and base64 of ${LEAST_KEY} to ${LONGEST_KEY} bytes.`,
  );
}

function mac({ id, timestamp, body }: SignedWebhook, key: Buffer): Buffer {
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
}

function single(headers: WebhookHeaders, name: string): string {
  const values = Object.entries(headers)
    .filter(([each]) => each.toLowerCase() === name)
    .flatMap(([, value]) => value ?? []);
  const [value, ...more] = values;
  if (value === undefined || value === '' || more.length > 0) {
    return refuse(`it has ${more.length > 0 ? 'more than one' : 'no'} ${name}`);
  }
  return value;
}

function refuse(reason: string): never {
  throw new CloudTasksError('UNAUTHENTICATED', `The webhook can't be trusted: ${reason}.`);
}

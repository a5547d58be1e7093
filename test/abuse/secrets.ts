/** Finds what no log line, answer or stored record may hold: tokens, keys, cookies, signatures. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/**
 * What is secret by its form, whoever made it. What stands for it must be longer than a word; what
 * begins it may follow a letter, as in JSON the one that ends a line feed.
 */
const FORMS: readonly (readonly [kind: string, form: RegExp])[] = [
  ['a JSON Web Token', /eyJ[\w-]{8,}\.[\w-]*/],
  ['a bearer token', /bearer\s+(?=\S*[\d._~+/-])[\w.~+/-]{8,}/i],
  ['basic credentials', /\bbasic\s+(?=\S*[\d=])[A-Za-z0-9+/]{8,}={0,2}/i],
  ['an API key', /nct_[a-z0-9]{4,}_[\w-]{8,}/],
  ['an access token of Google', /ya29\.[\w-]{8,}/],
  ['an API key of Google', /AIza[\w-]{30,}/],
  ['a webhook secret', /whsec_[A-Za-z0-9+/=]{8,}/],
  ['a signature', /v1[=,](?:[0-9a-f]{32,}|[A-Za-z0-9+/]{40,}={0,2})/],
  ['an envelope', /\bv1\.\d{6,12}\.[\w-]{43}\.[\w-]{43}/],
  ['a private key', /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  ['a cookie', /(?:set-)?cookie["']?\s*[:=]\s*["'[]*[^\s"'=;,]+=[^\s"';]/i],
  [
    'a header that says who calls',
    /(?:(?:proxy|x-serverless)-authorization|authorization|x-api-key|x-engine-signature|x-tasks-envelope|x-goog-iap-jwt-assertion)["']?\s*[:=]\s*["'[]*(?!(?:Bearer )?\(token\)|nct_[a-z0-9]{12}_\(secret\))[^\s"']{4}/i,
  ],
];

/** So many characters in a row of a secret are no chance. */
const PIECE = 12;

/** Of every secret, each piece that begins at a multiple of its length. */
const pieces = new Map<string, string>();

/**
 * From now on nothing may hold it, nor any part of it that is twice as long as a piece.
 *
 * @param kind what it is, for the error, which doesn't show it
 */
export function keepSecret(text: string, kind = 'a secret of this run'): void {
  // What an API key begins with may be seen.
  const secret = text.replace(/^nct_[a-z0-9]{12}_/, '');
  if (secret.length < PIECE) {
    throw new Error(`${secret.length} characters are too few to be told from chance.`);
  }
  for (let start = 0; start + PIECE <= secret.length; start += PIECE) {
    pieces.set(secret.slice(start, start + PIECE), kind);
  }
}

/**
 * The signature of a token: of what stands before it, much is the same in others that are allowed
 * to be seen, and a whole token is known by its form.
 */
export function keepSignature(token: string): void {
  const signature = token.slice(token.lastIndexOf('.') + 1);
  if (signature.length >= PIECE) keepSecret(signature, 'the signature of a token');
}

/** @throws Error that tells what was found and where, and never shows it */
export function assertNoSecrets(text: string, where = 'the text'): void {
  const found = firstSecret(text);
  if (!found) return;
  const { kind, at } = found;
  const before = text.slice(Math.max(0, at - 60), at).replace(/[^\x20-\x7e]/g, '·');
  const shown = firstSecret(before) ? 'another secret' : JSON.stringify(before);
  throw new Error(`${where} holds ${kind} at ${at}, after ${shown}`);
}

/**
 * Every file of a folder, as the bytes lie on the disk: deleted and overwritten records too.
 *
 * @param except names of files that are there to keep a secret
 */
export function assertNoSecretsInFolder(
  folder: string,
  except: readonly string[] = ['engine-secret', 'oidc-key.pem'],
): void {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  for (const entry of files) {
    if (!entry.isFile() || except.includes(basename(entry.name))) continue;
    const path = join(entry.parentPath, entry.name);
    assertNoSecrets(readFileSync(path, 'latin1'), entry.name);
  }
}

function firstSecret(text: string): { kind: string; at: number } | undefined {
  for (const [kind, form] of FORMS) {
    const at = text.search(form);
    if (at >= 0) return { kind, at };
  }
  if (pieces.size === 0) return undefined;
  for (let at = 0; at + PIECE <= text.length; at++) {
    const kind = pieces.get(text.slice(at, at + PIECE));
    if (kind !== undefined) return { kind, at };
  }
  return undefined;
}

/** An issuer of ID tokens on loopback, whose tokens and keys a test can make as wrong as it likes. */
import type { KeyObject } from 'node:crypto';
import { createSign, generateKeyPairSync } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Loopback } from './loopback.js';

export const AUDIENCE = 'https://app.example.com';
export const ACCOUNT = 'tasks@project.iam.gserviceaccount.com';

export type Claims = Readonly<Record<string, unknown>>;

export class TestIssuer {
  readonly first = new SigningKey('key-1');
  /** Published next, or never. */
  readonly second = new SigningKey('key-2');
  /** In the place of Identity-Aware Proxy's; always published, at an address of its own. */
  readonly proxy = new SigningKey('proxy-key', 'ES256');
  published: readonly SigningKey[] = [this.first];
  /** How often the keys were asked for. */
  fetches = 0;
  /** Answers in place of the keys. */
  broken: ((response: ServerResponse) => void) | undefined;
  url = '';
  private readonly loopback = new Loopback();

  static async start(): Promise<TestIssuer> {
    const issuer = new TestIssuer();
    issuer.url = await issuer.loopback.http((request, response) =>
      issuer.answer(request, response),
    );
    return issuer;
  }

  close(): Promise<void> {
    return this.loopback.close();
  }

  get jwksUrl(): string {
    return `${this.url}/keys`;
  }

  get proxyKeysUrl(): string {
    return `${this.url}/proxy-keys`;
  }

  /** Claims that are good at `now`, in seconds. */
  claims(now: number, changes: Claims = {}): Claims {
    return {
      iss: this.url,
      aud: AUDIENCE,
      sub: '112233445566778899000',
      email: ACCOUNT,
      email_verified: true,
      iat: now,
      exp: now + 3600,
      ...changes,
    };
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    if (request.url === '/.well-known/openid-configuration') {
      response.end(JSON.stringify({ issuer: this.url, jwks_uri: this.jwksUrl }));
      return;
    }
    this.fetches++;
    if (this.broken) {
      this.broken(response);
      return;
    }
    this.publish(response, request.url === '/proxy-keys' ? [this.proxy] : this.published);
  }

  /** Answers with keys. */
  publish(response: ServerResponse, keys = this.published): void {
    response.setHeader('Cache-Control', 'public, max-age=3600');
    response.end(JSON.stringify({ keys: keys.map((key) => key.jwk) }));
  }
}

export class SigningKey {
  readonly jwk: Readonly<Record<string, unknown>>;
  readonly publicPem: string;
  private readonly privateKey: KeyObject;

  constructor(
    readonly id: string,
    private readonly algorithm: 'RS256' | 'ES256' = 'RS256',
  ) {
    const { privateKey, publicKey } =
      algorithm === 'RS256'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.privateKey = privateKey;
    this.publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    this.jwk = { ...publicKey.export({ format: 'jwk' }), kid: id, alg: algorithm, use: 'sig' };
  }

  /** Signed with its algorithm whatever the header says; by hand, since a library would refuse. */
  sign(claims: unknown, header: Claims = {}): string {
    const full = { alg: this.algorithm, typ: 'JWT', kid: this.id, ...header };
    return this.signText(`${encode(full)}.${encode(claims)}`);
  }

  /** @param text what a signature covers: header and claims, whatever they are */
  signText(text: string): string {
    // JOSE writes the two numbers of an elliptic signature side by side.
    const key = { key: this.privateKey, dsaEncoding: 'ieee-p1363' } as const;
    return `${text}.${createSign('sha256').update(text).sign(key, 'base64url')}`;
  }
}

export function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

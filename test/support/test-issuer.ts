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
    response.setHeader('Cache-Control', 'public, max-age=3600');
    response.end(JSON.stringify({ keys: this.published.map((key) => key.jwk) }));
  }
}

export class SigningKey {
  readonly jwk: Readonly<Record<string, unknown>>;
  readonly publicPem: string;
  private readonly privateKey: KeyObject;

  constructor(readonly id: string) {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.privateKey = privateKey;
    this.publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    this.jwk = { ...publicKey.export({ format: 'jwk' }), kid: id, alg: 'RS256', use: 'sig' };
  }

  /** Signed RS256 whatever the header says; by hand, since a library would refuse most of it. */
  sign(claims: unknown, header: Claims = {}): string {
    const text = `${encode({ alg: 'RS256', typ: 'JWT', kid: this.id, ...header })}.${encode(claims)}`;
    const signature = createSign('sha256').update(text).sign(this.privateKey, 'base64url');
    return `${text}.${signature}`;
  }
}

export function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

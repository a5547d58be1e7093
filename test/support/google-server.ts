/** A server on loopback that answers as Google's metadata server, IAM, Cloud Storage and key endpoints do. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Loopback } from './loopback.js';
import { SigningKey } from './test-issuer.js';

export const METADATA_VARIABLES = (url: string): Record<string, string> => ({
  GCE_METADATA_HOST: new URL(url).host,
  METADATA_SERVER_DETECTION: 'assume-present',
});

/** Of a token that must show nowhere. */
export const ACCESS_TOKEN = 'ya29.loopback-access-token';

export class GoogleServer {
  url = '';
  /** The account that this machine runs as. */
  readonly self = 'app@my-project.iam.gserviceaccount.com';
  /** Whether there is an account of that name; `undefined` for one that may not be seen. */
  readonly accounts = new Map<string, { disabled?: boolean } | 'hidden'>();
  /** What may be done with any account. */
  accountPermissions: string[] = [
    'iam.serviceAccounts.actAs',
    'iam.serviceAccounts.getOpenIdToken',
  ];
  readonly buckets = new Map<string, string[]>();
  readonly key = new SigningKey('google-1');
  /** Of the tokens that it mints. Its own address can be looked up, as any issuer's. */
  issuer = 'https://accounts.google.com';
  /** Every request's method, path and body. */
  readonly asked: string[] = [];
  /** By the audience that was asked for. */
  readonly minted = new Map<string, string>();
  private readonly loopback = new Loopback();

  static async start(): Promise<GoogleServer> {
    const server = new GoogleServer();
    server.url = await server.loopback.http((request, response) => {
      void server.answer(request, response);
    });
    return server;
  }

  /** For the doctor. */
  get addresses() {
    const { url } = this;
    return {
      iam: url,
      iamCredentials: url,
      storage: url,
      keys: `${url}/certs`,
      iapKeys: `${url}/iap-certs`,
    };
  }

  close(): Promise<void> {
    return this.loopback.close();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const url = new URL(request.url ?? '/', this.url);
    this.asked.push(`${request.method ?? ''} ${url.pathname}${url.search} ${body}`.trim());
    if (url.pathname.startsWith('/computeMetadata/')) this.metadata(url, response);
    else if (url.pathname === '/.well-known/openid-configuration') {
      json(response, 200, { issuer: this.url, jwks_uri: `${this.url}/certs` });
    } else if (url.pathname === '/certs') json(response, 200, { keys: [this.key.jwk] });
    else if (request.headers.authorization !== `Bearer ${ACCESS_TOKEN}`) {
      json(response, 401, { error: { message: 'Request had invalid credentials.' } });
    } else this.api(url, body, response);
  }

  private metadata(url: URL, response: ServerResponse): void {
    response.setHeader('Metadata-Flavor', 'Google');
    const path = url.pathname.replace('/computeMetadata/v1', '');
    const account = '/instance/service-accounts/default';
    if (path === `${account}/token`) {
      json(response, 200, { access_token: ACCESS_TOKEN, expires_in: 3600, token_type: 'Bearer' });
    } else if (path === `${account}/identity`) {
      response.end(this.mint(url.searchParams.get('audience') ?? ''));
    } else if (path === `${account}/email`) response.end(this.self);
    else if (path === account || path === `${account}/`) {
      json(response, 200, { email: this.self, aliases: ['default'], scopes: [] });
    } else if (path === '/project/project-id') response.end('my-project');
    else if (path === '/instance' || path === '/instance/') response.end('ok');
    else json(response, 404, {});
  }

  private api(url: URL, body: string, response: ServerResponse): void {
    const [, email = '', verb] =
      /^\/v1\/projects\/-\/serviceAccounts\/([^/:]+)(?::(\w+))?$/.exec(
        decodeURIComponent(url.pathname),
      ) ?? [];
    const [, bucket] = /^\/storage\/v1\/b\/([^/]+)\/iam\/testPermissions$/.exec(url.pathname) ?? [];
    if (bucket !== undefined) {
      const permissions = this.buckets.get(bucket);
      if (permissions) json(response, 200, { permissions });
      else json(response, 404, { error: { message: 'The specified bucket does not exist.' } });
      return;
    }
    const account = this.accounts.get(email);
    if (account === undefined) {
      json(response, 404, { error: { message: `Unknown service account ${email}` } });
    } else if (account === 'hidden') {
      json(response, 403, { error: { message: 'Permission iam.serviceAccounts.get denied' } });
    } else if (verb === 'testIamPermissions') {
      const { permissions } = JSON.parse(body) as { permissions: string[] };
      const had = permissions.filter((each) => this.accountPermissions.includes(each));
      // As Google does: nothing at all in place of an empty list.
      json(response, 200, had.length > 0 ? { permissions: had } : {});
    } else if (verb === 'generateIdToken') {
      const { audience } = JSON.parse(body) as { audience: string };
      if (this.accountPermissions.includes('iam.serviceAccounts.getOpenIdToken')) {
        json(response, 200, { token: this.mint(audience, email) });
      } else {
        json(response, 403, { error: { message: 'getOpenIdToken denied' } });
      }
    } else json(response, 200, { email, ...account });
  }

  private mint(audience: string, email = this.self): string {
    const now = Math.floor(Date.now() / 1000);
    const token = this.key.sign({
      iss: this.issuer,
      aud: audience,
      sub: '1234',
      email,
      email_verified: true,
      iat: now,
      exp: now + 3600,
    });
    this.minted.set(audience, token);
    return token;
  }
}

function json(response: ServerResponse, status: number, content: object): void {
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(content));
}

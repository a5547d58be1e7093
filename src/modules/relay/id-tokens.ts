/** Mints the ID tokens that calls carry, each once for as long as it is good. */
import type { AuthClient, GoogleAuth, IdTokenClient } from 'google-auth-library';
import type { QueueBackend } from '../cloud-tasks/queue-backend.js';

/**
 * What ID tokens are minted with. `engine`: the embedded engine's own keys, for a laptop.
 * `default`: application default credentials, with no key anywhere. `key`: a service account's key
 * as its JSON. `secret`: the same, in Secret Manager; `projects/<project>/secrets/<name>`, its
 * latest version.
 */
export type RelayCredentials =
  | { readonly kind: 'engine' }
  | { readonly kind: 'default' }
  | { readonly kind: 'key'; readonly json: string }
  | { readonly kind: 'secret'; readonly name: string };

/** Its message holds nothing of a credential: Google's own errors may. */
export class NoIdToken extends Error {
  override readonly name = 'NoIdToken';
}

export class IdTokens {
  /** By audience and account; a client keeps its token until five minutes before its end. */
  private readonly clients = new Map<string, Promise<IdTokenClient>>();
  private readonly asked = new Map<string, Promise<string>>();
  private auth: Promise<GoogleAuth> | undefined;

  /** @param serviceAccount whose tokens where nobody is named; absent, the credentials' own */
  constructor(
    private readonly credentials: RelayCredentials,
    private readonly backend: Pick<QueueBackend, 'idToken'>,
    private readonly serviceAccount?: string,
  ) {}

  /**
   * However many ask at once, each token is asked for once.
   *
   * @throws NoIdToken
   */
  async token(audience: string, account = this.serviceAccount): Promise<string> {
    const name = JSON.stringify([audience, account]);
    const asked =
      this.asked.get(name) ??
      this.ask(name, audience, account).finally(() => this.asked.delete(name));
    this.asked.set(name, asked);
    return asked;
  }

  private async ask(name: string, audience: string, account: string | undefined): Promise<string> {
    try {
      if (this.credentials.kind === 'engine') {
        return await this.backend.idToken({ email: account ?? 'relay@local', audience });
      }
      let client = this.clients.get(name);
      if (!client) {
        client = this.client(audience, account);
        this.clients.set(name, client);
        client.catch(() => this.clients.delete(name));
      }
      const headers = await (await client).getRequestHeaders();
      const [, token] = /^Bearer (.+)$/.exec(headers.get('authorization') ?? '') ?? [];
      if (token === undefined) throw new Error('no token came');
      return token;
    } catch (error) {
      throw new NoIdToken(`No ID token can be had for ${audience} (${codeOf(error)}).`);
    }
  }

  private async client(audience: string, account: string | undefined): Promise<IdTokenClient> {
    const { Impersonated, IdTokenClient } = await import('google-auth-library');
    const auth = await (this.auth ??= this.load().catch((error: unknown) => {
      this.auth = undefined;
      throw error;
    }));
    if (account === undefined) return auth.getIdTokenClient(audience);
    const source: AuthClient = await auth.getClient();
    if ('email' in source && source.email === account) return auth.getIdTokenClient(audience);
    const idTokenProvider = new Impersonated({
      sourceClient: source,
      targetPrincipal: account,
      targetScopes: [CLOUD_PLATFORM],
    });
    return new IdTokenClient({ targetAudience: audience, idTokenProvider });
  }

  private async load(): Promise<GoogleAuth> {
    const { GoogleAuth } = await import('google-auth-library');
    const ambient = new GoogleAuth({ scopes: [CLOUD_PLATFORM] });
    if (this.credentials.kind === 'key') return withKey(GoogleAuth, this.credentials.json);
    if (this.credentials.kind !== 'secret') return ambient;
    const { data } = await ambient.request<{ payload?: { data?: string } }>({
      url: `https://secretmanager.googleapis.com/v1/${this.credentials.name}/versions/latest:access`,
    });
    return withKey(GoogleAuth, Buffer.from(data.payload?.data ?? '', 'base64').toString());
  }
}

const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';

function withKey(Auth: typeof GoogleAuth, json: string): GoogleAuth {
  const credentials = JSON.parse(json) as { client_email?: string; private_key?: string };
  return new Auth({ credentials, scopes: [CLOUD_PLATFORM] });
}

/** A code or a status says enough, and never quotes a token or a key. */
function codeOf(error: unknown): string {
  const { code, status, name } = (error ?? {}) as Record<'code' | 'status' | 'name', unknown>;
  for (const each of [code, status, name]) {
    if (typeof each === 'string' || typeof each === 'number') return String(each);
  }
  return 'error';
}

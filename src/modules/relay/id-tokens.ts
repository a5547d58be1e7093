/** Mints the ID tokens that calls carry, each once for as long as it is good. */
import type {
  AuthClient,
  OAuth2ClientOptions,
  IdTokenClient,
  IdTokenProvider,
  JWTInput,
} from 'google-auth-library';
import type { Clock } from '../../engine/ports.js';
import type { Duration } from '../../engine/time.js';
import { MILLISECOND, SECOND } from '../../engine/time.js';
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

export interface MintOptions {
  /** Whose tokens where nobody is named. Default: the credentials' own. */
  readonly serviceAccount?: string | undefined;
  /** How Google's library reaches Google, so that tests can answer in its place. */
  readonly transport?: OAuth2ClientOptions['transporterOptions'];
}

export class IdTokens {
  /** By audience and account; a client keeps its token until five minutes before its end. */
  private readonly clients = new Map<string, Promise<IdTokenClient>>();
  private readonly asked = new Map<string, Promise<string>>();
  private source: Promise<AuthClient> | undefined;

  constructor(
    private readonly credentials: RelayCredentials,
    private readonly backend: Pick<QueueBackend, 'idToken'>,
    private readonly clock: Clock,
    private readonly options: MintOptions = {},
  ) {}

  /**
   * However many ask at once, each token is asked for once. Takes ten seconds at most.
   *
   * @throws NoIdToken
   */
  async token(audience: string, account = this.options.serviceAccount): Promise<string> {
    const name = JSON.stringify([audience, account]);
    const asked =
      this.asked.get(name) ??
      this.ask(name, audience, account).finally(() => this.asked.delete(name));
    this.asked.set(name, asked);
    return asked;
  }

  private async ask(name: string, audience: string, account: string | undefined): Promise<string> {
    try {
      return await this.inTime(
        this.credentials.kind === 'engine'
          ? this.backend.idToken({ email: account ?? 'relay@local', audience })
          : this.mint(name, audience, account),
      );
    } catch (error) {
      // What hangs is left to itself, and a key may have been changed for another since it was read.
      this.clients.delete(name);
      this.source = undefined;
      const why = error === TOO_LATE ? ': minting it took longer than 10 seconds' : codeOf(error);
      throw new NoIdToken(`No ID token can be had for ${audience}${why}.`);
    }
  }

  private inTime(work: Promise<string>): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = this.clock.after(LIMIT, () => reject(TOO_LATE));
      void work.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  private async mint(name: string, audience: string, account: string | undefined) {
    let client = this.clients.get(name);
    if (!client) {
      client = this.client(audience, account);
      this.clients.set(name, client);
    }
    const headers = await (await client).getRequestHeaders();
    const [, token] = /^Bearer (.+)$/.exec(headers.get('authorization') ?? '') ?? [];
    if (token === undefined) throw new Error('no token came');
    return token;
  }

  private async client(audience: string, account: string | undefined): Promise<IdTokenClient> {
    const { IdTokenClient, JWT } = await import('google-auth-library');
    const source = await (this.source ??= this.load());
    const isOwn = account === undefined || (source instanceof JWT && source.email === account);
    // Google refuses what a key has signed for an audience and scopes at once.
    const own = source instanceof JWT ? source.createScoped() : source;
    const idTokenProvider = isOwn ? own : impersonated(source, account);
    if (!('fetchIdToken' in idTokenProvider)) throw new Error('credentials without ID tokens');
    return new IdTokenClient({ targetAudience: audience, idTokenProvider });
  }

  private async load(): Promise<AuthClient> {
    const { GoogleAuth, JWT } = await import('google-auth-library');
    const scopes = [CLOUD_PLATFORM];
    const transporterOptions = { timeout: LIMIT / MILLISECOND, ...this.options.transport };
    const withKey = (json: string) => {
      const client = new JWT({ scopes, transporterOptions });
      client.fromJSON(JSON.parse(json) as JWTInput);
      return client;
    };
    if (this.credentials.kind === 'key') return withKey(this.credentials.json);
    const ambient = await new GoogleAuth({
      scopes,
      clientOptions: { transporterOptions },
    }).getClient();
    if (this.credentials.kind !== 'secret') return ambient;
    const { data } = await ambient.request<{ payload?: { data?: string } }>({
      url: `https://secretmanager.googleapis.com/v1/${this.credentials.name}/versions/latest:access`,
    });
    return withKey(Buffer.from(data.payload?.data ?? '', 'base64').toString());
  }
}

const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';

/** Calls wait for it with their deadline running. */
const LIMIT: Duration = 10 * SECOND;
const TOO_LATE = new Error('too late');

/** By hand: the library's own class prints a warning wherever one is made. */
function impersonated(source: AuthClient, account: string): IdTokenProvider {
  return {
    async fetchIdToken(audience) {
      const { data } = await source.request<{ token: string }>({
        url: `https://iamcredentials.${source.universeDomain}/v1/projects/-/serviceAccounts/${account}:generateIdToken`,
        method: 'POST',
        data: { audience, includeEmail: true },
        retryConfig: { httpMethodsToRetry: ['POST'] },
      });
      return data.token;
    },
  };
}

/** A status or a code says enough; what isn't a plain word might quote a token or a key. */
function codeOf(error: unknown): string {
  const { status, code, name } = (error ?? {}) as Record<'status' | 'code' | 'name', unknown>;
  for (const each of [status, code, name]) {
    if (typeof each === 'number') return ` (${each})`;
    if (typeof each === 'string' && /^\w{1,40}$/.test(each)) return ` (${each})`;
  }
  return ' (error)';
}

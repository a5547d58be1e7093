/** Asks Google's APIs as whoever runs this, with the credentials that an app would find. */
import type { AuthClient } from 'google-auth-library';

/** Base addresses, so that tests can answer as Google does. */
export interface GoogleAddresses {
  readonly iam: string;
  readonly iamCredentials: string;
  readonly storage: string;
  /** Of the public keys of its ID tokens. */
  readonly keys: string;
  /** Of those of Identity-Aware Proxy. */
  readonly iapKeys: string;
  /** `host:port` of a server that answers as Cloud Tasks; absent, its own. */
  readonly cloudTasks?: string;
}

export const GOOGLE: GoogleAddresses = {
  iam: 'https://iam.googleapis.com',
  iamCredentials: 'https://iamcredentials.googleapis.com',
  storage: 'https://storage.googleapis.com',
  keys: 'https://www.googleapis.com/oauth2/v3/certs',
  iapKeys: 'https://www.gstatic.com/iap/verify/public_key-jwk',
};

export interface GoogleAnswer {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
}

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
const LIMIT_MS = 10_000;

export class Google {
  private client: Promise<{ client: AuthClient; email: string | undefined }> | undefined;

  constructor(
    readonly addresses: GoogleAddresses,
    private readonly projectId: string,
  ) {}

  /**
   * Who asks; undefined where the credentials don't say.
   *
   * @throws Error without credentials, or with such as don't work
   */
  async email(): Promise<string | undefined> {
    return (await this.signedIn()).email;
  }

  /** As a policy names who asks. */
  async member(): Promise<string> {
    const email = await this.email().catch(() => undefined);
    return email === undefined ? 'user:YOU' : `serviceAccount:${email}`;
  }

  /** Also of a refusal. @throws Error when there is no answer, or no credentials */
  async ask(url: string, data?: object): Promise<GoogleAnswer> {
    const { client } = await this.signedIn();
    const { status, data: json } = await client.request<unknown>({
      url,
      method: data ? 'POST' : 'GET',
      ...(data ? { data } : {}),
      timeout: LIMIT_MS,
      retry: false,
      validateStatus: () => true,
    });
    const isObject = typeof json === 'object' && json !== null;
    return { status, json: isObject ? (json as GoogleAnswer['json']) : {} };
  }

  private signedIn(): Promise<{ client: AuthClient; email: string | undefined }> {
    return (this.client ??= signIn(this.projectId));
  }
}

async function signIn(projectId: string) {
  const { GoogleAuth } = await import('google-auth-library');
  // Without the project it would start gcloud to find one.
  const auth = new GoogleAuth({ scopes: [SCOPE], projectId });
  const client = await auth.getClient();
  // So that credentials that have lapsed show here, once, and not with each question.
  await client.getAccessToken();
  // Those of a person name nobody.
  const { client_email: email } = await auth.getCredentials().catch(() => ({ client_email: '' }));
  return { client, email: email || undefined };
}

/** What Google says of a request that it refused. */
export function refusalOf({ status, json }: GoogleAnswer): string {
  const { message } = (json['error'] ?? {}) as { message?: unknown };
  return typeof message === 'string' ? `${status}: ${message}` : String(status);
}

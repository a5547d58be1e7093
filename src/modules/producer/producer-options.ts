/** What whoever mounts the producer decides. */
/** Injects `ProducerOptions`. */
export const PRODUCER_OPTIONS = Symbol('PRODUCER_OPTIONS');

export interface ProducerOptions {
  /** Id of the queue of tasks that name none; made at start when the backend is embedded. */
  readonly queue: string;
  /** Whose token tasks for other servers carry, where the rule of their origin names no other. */
  readonly externalAccount?: string;
  readonly auth: ProducerAuth;
}

/** How somebody shows that they may enqueue. */
export type ProducerAuth =
  /** Programs of this machine: for an app that listens on loopback alone. */
  | { readonly kind: 'none' }
  /** For a process that serves no producers. */
  | { readonly kind: 'nobody' }
  /** `X-API-Key`, one of those whose records are in the file. */
  | { readonly kind: 'api-key'; readonly file: string }
  /** An ID token of the issuer (default Google), for this audience, of one of the accounts. */
  | {
      readonly kind: 'oidc';
      readonly audience: string;
      readonly accounts: readonly string[];
      readonly issuer?: string;
    }
  /** An assertion of Identity-Aware Proxy for this audience, of one of the accounts or of anybody. */
  | {
      readonly kind: 'iap';
      readonly audience: string;
      readonly accounts?: readonly string[];
      /** Default: Google's. */
      readonly keysUrl?: string;
    };

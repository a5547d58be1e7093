/** What whoever mounts the producer decides. */
/** Injects `ProducerOptions`. */
export const PRODUCER_OPTIONS = Symbol('PRODUCER_OPTIONS');

export interface ProducerOptions {
  /** Id of the queue of tasks that name none; made at start when the backend is embedded. */
  readonly queue: string;
  /** Whose token tasks for other servers carry, where the rule of their origin names no other. */
  readonly externalAccount?: string;
  readonly auth: ProducerAuth;
  /** Which queues may be enqueued to. Absent, all that there are. */
  readonly queues?: ProducerQueues;
  /**
   * Why this app's handlers would refuse an App Engine task, so that none is made for them; absent,
   * they take such.
   */
  readonly noAppEngineTasks?: string;
}

export interface ProducerQueues {
  readonly ids: readonly string[];
  /** Whether those that handlers name are among them too. */
  readonly andHandlers: boolean;
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
  | (ProducerAccounts & {
      readonly kind: 'oidc';
      readonly audience: string;
      readonly issuer?: string;
    })
  /** An assertion of Identity-Aware Proxy for this audience, of one of the accounts or of anybody. */
  | (ProducerAccounts & {
      readonly kind: 'iap';
      readonly audience: string;
      /** Default: Google's. */
      readonly keysUrl?: string;
    });

/** One of the two, or none with `iap`. */
export interface ProducerAccounts {
  /** Who may enqueue anything. */
  readonly accounts?: readonly string[];
  /** YAML, by `readAccountFile`: what each may enqueue. */
  readonly accountsFile?: string;
}

/** What `STORE_URL` and the option `store` may say: which store keeps the journal, and where. */

export type StorePlace =
  | { readonly kind: 'memory' }
  /** The processes of one machine may share it. */
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'redis' | 'postgres'; readonly url: string };

export const STORE_URL_EXPECTED =
  "a store such as 'sqlite:./.data/journal.sqlite', 'redis://host:6379/0' or 'postgres://user@host:5432/database'";

/** @returns undefined for what is none */
export function readStoreUrl(text: string): StorePlace | undefined {
  if (text === 'memory:') return { kind: 'memory' };
  // Not read as a URL: `sqlite:./a b` is a path as it stands. `sqlite:///abs` is one too.
  const [, path] = /^sqlite:(?:\/\/(?=\/))?([^\0]+)$/.exec(text) ?? [];
  if (path !== undefined) {
    return path === ':memory:' ? { kind: 'memory' } : { kind: 'sqlite', file: path };
  }
  const url = /^(?:rediss?|postgres(?:ql)?):\/\/\S+$/.test(text) ? URL.parse(text) : null;
  if (!url?.hostname && !url?.search) return undefined;
  return { kind: url.protocol.startsWith('redis') ? 'redis' : 'postgres', url: text };
}

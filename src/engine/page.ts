/** Page tokens: where a listing goes on, for how long that may be asked, and for which request. */
import { refusal } from './error-catalogue.js';
import type { Duration, Instant } from './time.js';
import { HOUR } from './time.js';

const TOKEN_LIFE: Duration = 2 * HOUR;

interface PageToken<Place> {
  readonly after: Place;
  readonly issued: Instant;
  /** What must not change while paging. */
  readonly scope: string;
}

export interface PageRequest {
  readonly pageSize?: number | undefined;
  readonly pageToken?: string | undefined;
}

/** How many to give: all that the verb allows when nothing or too much is asked. */
export function pageSize({ pageSize: asked = 0 }: PageRequest, most: number): number {
  if (!Number.isInteger(asked) || asked < 0) {
    throw refusal('PAGE_SIZE', { got: asked, field: 'pageSize' });
  }
  return asked === 0 ? most : Math.min(asked, most);
}

export function writePageToken(after: string | number, scope: string, issued: Instant): string {
  const token: PageToken<string | number> = { after, issued, scope };
  return btoa(encodeURIComponent(JSON.stringify(token)));
}

/** The place after which to go on; undefined for the first page. */
export function readPageToken<Kind extends 'string' | 'number'>(
  { pageToken }: PageRequest,
  kind: Kind,
  scope: string,
  now: Instant,
): (Kind extends 'string' ? string : number) | undefined {
  if (!pageToken) return undefined;
  const token = decode(pageToken);
  if (typeof token.after !== kind || typeof token.issued !== 'number') {
    throw refusal('PAGE_TOKEN', { field: 'pageToken' });
  }
  if (token.scope !== scope) {
    throw refusal('PAGE_TOKEN_SCOPE', { field: 'pageToken' });
  }
  if (now - token.issued > TOKEN_LIFE) {
    throw refusal('PAGE_TOKEN_AGE', { field: 'pageToken' });
  }
  return token.after as Kind extends 'string' ? string : number;
}

/** Empty when it is none of ours. */
function decode(text: string): Partial<PageToken<unknown>> {
  try {
    const value: unknown = JSON.parse(decodeURIComponent(atob(text)));
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

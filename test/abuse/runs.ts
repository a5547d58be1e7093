/** The random runs against what lets things in and out, by name. */

/** A module of one run. */
export interface AbuseRun {
  /** How many cases it has at full size. */
  readonly size: number;
  /**
   * @param count how many cases
   * @param seed what every draw follows from
   * @returns a line of figures
   * @throws Error of the first case that got through, with its index and what was sent
   */
  readonly run: (count: number, seed: number) => Promise<string>;
}

/** Loaded one by one, each when it is run. */
export const RUNS: Readonly<Record<string, () => Promise<AbuseRun>>> = {
  'spoofed-requests': () => import('./spoofed-requests.js'),
  'forged-tokens': () => import('./forged-tokens.js'),
  'key-endpoint': () => import('./key-endpoint.js'),
  bodies: () => import('./bodies.js'),
  'slow-clients': () => import('./slow-clients.js'),
  'raw-requests': () => import('./raw-requests.js'),
  urls: () => import('./urls.js'),
  rebinding: () => import('./rebinding.js'),
  'outbound-headers': () => import('./outbound-headers.js'),
  redirects: () => import('./redirects.js'),
};

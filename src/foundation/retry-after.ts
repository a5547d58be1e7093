/** Reads how long an answer asks to be waited for. */
import type { Duration, Instant } from '../engine/time.js';
import { DAY, MILLISECOND, SECOND } from '../engine/time.js';

const LEAST_WAIT: Duration = SECOND;
const LONGEST_WAIT: Duration = DAY;

/**
 * @param text the header `Retry-After` as it came: seconds, or an HTTP date
 * @returns from a second to a day, whatever it says; undefined for what is neither
 */
export function retryAfterWait(text: string | undefined, now: Instant): Duration | undefined {
  const trimmed = text?.trim() ?? '';
  if (/^\d{1,15}$/.test(trimmed)) return clamp(Number(trimmed) * SECOND);
  const date = /^[A-Za-z]{3}/.test(trimmed) ? Date.parse(trimmed) : NaN;
  return Number.isNaN(date) ? undefined : clamp(date * MILLISECOND - now);
}

function clamp(wait: Duration): Duration {
  return Math.min(Math.max(wait, LEAST_WAIT), LONGEST_WAIT);
}

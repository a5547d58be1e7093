/** How long a call may take where it is made: refused when asked for, rather than cut off later. */
import { invalidArgument } from '../../engine/errors.js';
import type { Duration } from '../../engine/time.js';
import { SECOND } from '../../engine/time.js';
import {
  LEAST_DEADLINE,
  MOST_APP_ENGINE_DEADLINE,
  MOST_HTTP_DEADLINE,
} from '../tasks/task-limits.js';
import type { BaseOptions } from '../tasks/task-options.js';

/** Before the queue stops waiting, so that there is time to say how a call went. */
export const DEADLINE_ROOM: Duration = 10 * SECOND;
/** As far as the target allows it. */
const COMFORTABLE_ROOM: Duration = 30 * SECOND;

/**
 * Options whose deadline has room for the call.
 *
 * @param freely the backend, where nobody has said which target it shall be: on this machine a call
 *   that HTTP targets can't hold goes through App Engine's routing, which can
 * @throws CloudTasksError INVALID_ARGUMENT for a call that the target can't hold
 */
export function fittingDeadline(
  options: BaseOptions,
  freely: false | 'embedded' | 'google',
  timeout: Duration,
): BaseOptions {
  const { target = 'http', dispatchDeadline } = options;
  const least = timeout + DEADLINE_ROOM;
  if (dispatchDeadline !== undefined && dispatchDeadline < least) {
    throw invalidArgument(
      `dispatchDeadline: expected '${least / SECOND}s' or more, 10 seconds longer than timeout, got '${dispatchDeadline / SECOND}s'.`,
      'dispatchDeadline',
    );
  }
  if (target === 'http' && least > MOST_HTTP_DEADLINE) {
    if (freely === 'embedded') {
      return fittingDeadline({ ...options, target: 'app-engine' }, false, timeout);
    }
    throw invalidArgument(
      `timeout: expected at most '${(MOST_HTTP_DEADLINE - DEADLINE_ROOM) / SECOND}s', as Cloud Tasks waits 30 minutes for an HTTP target, got '${timeout / SECOND}s'; on App Engine a call may take 24 hours.`,
      'timeout',
    );
  }
  const most = target === 'http' ? MOST_HTTP_DEADLINE : MOST_APP_ENGINE_DEADLINE;
  const wanted = Math.max(Math.min(timeout + COMFORTABLE_ROOM, most), LEAST_DEADLINE);
  return { ...options, target, dispatchDeadline: dispatchDeadline ?? wanted };
}

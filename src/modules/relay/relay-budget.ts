/** How long a call may take where it is made: refused when asked for, rather than cut off later. */
import { invalidArgument } from '../../engine/errors.js';
import type { Duration } from '../../engine/time.js';
import { HOUR, MINUTE, SECOND } from '../../engine/time.js';
import type { Platform } from '../../foundation/platform.js';
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

/** What is known of where a task's call is made. */
export interface Place {
  /**
   * The backend, where nobody has said which target it shall be: on this machine a call that HTTP
   * targets can't hold goes through App Engine's routing, which can.
   */
  readonly freely: false | 'embedded' | 'google';
  /** How long a request may take there. */
  readonly most: Duration;
  /** Queues that lead to where it may take 24 hours. */
  readonly longQueues: readonly string[];
}

/**
 * How long a request may take, but for services of App Engine that say otherwise: with automatic
 * scaling 10 minutes, in the flexible environment 60.
 */
export function requestLimit(platform: Platform | undefined): Duration {
  if (platform === 'app-engine-standard') return 10 * MINUTE;
  return platform === 'app-engine-flexible' ? HOUR : MOST_APP_ENGINE_DEADLINE;
}

/**
 * Options whose deadline has room for the call.
 *
 * @throws CloudTasksError INVALID_ARGUMENT for a call that the target can't hold
 */
export function fittingDeadline(
  options: BaseOptions,
  place: Place,
  timeout: Duration,
): BaseOptions {
  const { target = 'http', dispatchDeadline, queue } = options;
  const least = timeout + DEADLINE_ROOM;
  if (dispatchDeadline !== undefined && dispatchDeadline < least) {
    throw invalidArgument(
      `dispatchDeadline: expected '${least / SECOND}s' or more, 10 seconds longer than timeout, got '${dispatchDeadline / SECOND}s'.`,
      'dispatchDeadline',
    );
  }
  if (least > place.most) {
    const [other] = place.longQueues;
    const where =
      other === undefined
        ? 'RELAY_QUEUES (the option queues) names queues of services that hold a call for 24 hours'
        : `in the queue '${other}' a call may take 24 hours`;
    throw invalidArgument(
      `timeout: expected at most '${(place.most - DEADLINE_ROOM) / SECOND}s' in the queue '${queue}', as App Engine ends a request after ${place.most / MINUTE} minutes there, got '${timeout / SECOND}s'; ${where}.`,
      'timeout',
    );
  }
  if (target === 'http' && least > MOST_HTTP_DEADLINE) {
    if (place.freely === 'embedded') {
      return fittingDeadline({ ...options, target: 'app-engine' }, place, timeout);
    }
    throw invalidArgument(
      `timeout: expected at most '${(MOST_HTTP_DEADLINE - DEADLINE_ROOM) / SECOND}s', as Cloud Tasks waits 30 minutes for an HTTP target, got '${timeout / SECOND}s'; on App Engine a call may take 24 hours.`,
      'timeout',
    );
  }
  const most = Math.min(
    target === 'http' ? MOST_HTTP_DEADLINE : MOST_APP_ENGINE_DEADLINE,
    place.most,
  );
  const wanted = Math.max(Math.min(timeout + COMFORTABLE_ROOM, most), LEAST_DEADLINE);
  return { ...options, target, dispatchDeadline: dispatchDeadline ?? wanted };
}

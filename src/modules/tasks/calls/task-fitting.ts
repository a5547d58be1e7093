/** Makes a task fit into Cloud Tasks' limit, by keeping a large body apart where that is possible. */
import { Injectable } from '@nestjs/common';
import type { TaskInput } from '../../../engine/cloud-tasks-api.js';
import { invalidArgument } from '../../../engine/errors.js';
import { MAX_TASK_SIZE } from '../../../engine/task-size.js';
import type { Instant } from '../../../engine/time.js';
import { PARKING_ROOM } from '../../dead-letters/dead-letter.js';
import { Payloads } from '../../payloads/payloads.js';
import { inputSize } from '../task-limits.js';

export interface Fitted {
  /** Full name of its queue. */
  readonly queue: string;
  readonly now: Instant;
  /** Whether a handler of ours receives it, which finds the body again. */
  readonly isOurs: boolean;
  /** Says which of the arguments is the largest, for an error about the size of all. */
  largest(part: 'url' | 'body'): string;
}

@Injectable()
export class TaskFitting {
  constructor(private readonly payloads: Payloads) {}

  /**
   * The task itself where it is small enough; one without its body where that is kept apart.
   *
   * @throws CloudTasksError INVALID_ARGUMENT for a task that stays too large
   */
  async fit(task: TaskInput, fitted: Fitted): Promise<TaskInput> {
    const { queue, now, isOurs } = fitted;
    const size = inputSize(task, queue, now);
    // What a handler of ours gives up is parked with the reason, which takes room.
    const most = isOurs ? MAX_TASK_SIZE - PARKING_ROOM : MAX_TASK_SIZE;
    if (size <= most) return task;
    const body = task.httpRequest?.body ?? task.appEngineHttpRequest?.body;
    // What refers to it takes less than the body did, or there was no body to speak of.
    const helps = body !== undefined && size - body.length <= most - ROOM;
    if (!helps || !isOurs || this.payloads.maxBytes === undefined) {
      const hint = helps && isOurs ? '; the option payloadStore allows more' : '';
      throw invalidArgument(
        `The arguments make a task of ${size} bytes; at most ${most} are allowed${fitted.largest('body')}${hint}.`,
        'task',
      );
    }
    return withoutBody(task, await this.payloads.keep(body));
  }
}

/** For the header that refers to the body. */
const ROOM = 1024;

function withoutBody(task: TaskInput, headers: Readonly<Record<string, string>>): TaskInput {
  const { httpRequest, appEngineHttpRequest, ...rest } = task;
  const changed = <Request extends { readonly headers?: Record<string, string>; body?: unknown }>({
    body: _,
    ...request
  }: Request) => ({ ...request, headers: { ...request.headers, ...headers } });
  return {
    ...rest,
    ...(httpRequest ? { httpRequest: changed(httpRequest) } : {}),
    ...(appEngineHttpRequest ? { appEngineHttpRequest: changed(appEngineHttpRequest) } : {}),
  };
}

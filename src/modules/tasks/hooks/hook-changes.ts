/** What the hooks before a create have changed of a task, checked like what its maker says. */
import { invalidArgument } from '../../../engine/errors.js';
import { MILLISECOND } from '../../../engine/time.js';
import type { CalledTarget } from '../calls/handler-target.js';
import type { TaskChanges, TaskDraft } from './task-hook.js';
import { DEADLINE_HEADER } from '../task-headers.js';
import type { Identified } from '../calls/task-id.js';
import type { BaseOptions } from '../task-options.js';
import { mergeOptions, readTaskOptions } from '../task-options.js';
import { refuseUnknown } from '../unknown-option.js';

const KNOWN = [
  'queue',
  'taskId',
  'countdown',
  'scheduleTime',
  'dispatchDeadline',
  'headers',
  'body',
];

export class HookChanges {
  private headers: ReadonlyMap<string, string> = new Map();
  private body: Uint8Array | undefined;

  constructor(
    private readonly call: Identified & { readonly isOurs?: boolean },
    public options: BaseOptions,
  ) {}

  /** The task as the next hook sees it. */
  get draft(): TaskDraft {
    const { call, options, body = this.call.body } = this;
    const headers = [...(options.headers ?? []), ...call.headers, ...this.headers];
    const shown = headers.filter(([name]) => !name.startsWith('x-tasks-'));
    return {
      callee: call.callee,
      path: call.path,
      queue: options.queue,
      taskId: typeof options.taskId === 'string' ? options.taskId : undefined,
      headers: Object.freeze(Object.fromEntries(shown)),
      body,
    };
  }

  /** @throws CloudTasksError INVALID_ARGUMENT naming what can't be so */
  add(changes: TaskChanges): void {
    refuseUnknown(changes, KNOWN, "a hook's changes");
    const { body, ...options } = changes;
    if (body !== undefined && !ArrayBuffer.isView(body)) {
      throw invalidArgument(`body: expected bytes of a hook, got ${typeof body}.`, 'body');
    }
    const read = readTaskOptions(options);
    this.options = mergeOptions(this.options, read);
    this.headers = new Map([...this.headers, ...(read.headers ?? [])]);
    this.body = body ?? this.body;
  }

  /** Puts the changes into the request that was made before they were known. */
  apply(target: CalledTarget): CalledTarget {
    const { httpRequest, appEngineHttpRequest } = target;
    return {
      ...(httpRequest ? { httpRequest: this.changed(httpRequest) } : {}),
      ...(appEngineHttpRequest ? { appEngineHttpRequest: this.changed(appEngineHttpRequest) } : {}),
    };
  }

  private changed<Request extends { headers?: Record<string, string>; body?: Uint8Array }>(
    request: Request,
  ): Request {
    const headers = { ...request.headers };
    const byLowerCase = new Map(Object.keys(headers).map((name) => [name.toLowerCase(), name]));
    for (const [name, value] of this.headers) headers[byLowerCase.get(name) ?? name] = value;
    const { dispatchDeadline } = this.options;
    const isTold = DEADLINE_HEADER in headers || this.call.isOurs === true;
    if (isTold && dispatchDeadline !== undefined) {
      headers[DEADLINE_HEADER] = String(dispatchDeadline / MILLISECOND);
    }
    return { ...request, headers, ...(this.body ? { body: this.body.slice() } : {}) };
  }
}

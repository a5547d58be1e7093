/** The decorator that gives an ordinary route of any controller its delayed call. */
import { markHandler } from './task-metadata.js';
import { readOptionsAt } from '../task-decorators.js';
import type { TaskDefaults } from '../task-options.js';

/** What this library does around a handler; here nobody knows whether a task is calling. */
const ONLY_HANDLERS = ['maxAttempts', 'idempotency', 'aliases'];

/**
 * Gives a route `.delay`, whatever its controller, method and guards: `@Post() @Delayable()`. It
 * stays as it is for everybody else who calls it, so its own guards must let tasks in;
 * `@UseGuards(TaskGuard)` lets in nothing else. Its answer alone decides what becomes of the task:
 * anything but a 2xx has the queue try again.
 *
 * @param options defaults of its tasks, but for what is done around a handler of `@Task`
 */
export function Delayable(options: TaskDefaults = {}): MethodDecorator {
  return (target, name, descriptor) => {
    const where = `@Delayable of ${target.constructor.name}.${String(name)}`;
    const method: unknown = descriptor.value;
    if (typeof method !== 'function') throw new Error(`${where}: not a method.`);
    if (name === 'then') throw new Error(`${where}: a handler can't be called 'then'.`);
    const read = readOptionsAt(where, options);
    const idle = ONLY_HANDLERS.find((option) => option in options);
    if (idle !== undefined) throw new Error(`${where}: ${idle} is for handlers of @Task alone.`);
    markHandler(method, { options: read, isOpen: true });
  };
}

/** The decorator that gives an ordinary route of any controller its delayed call. */
import { markHandler } from './task-metadata.js';
import { readOptionsAt } from './task-decorators.js';
import type { TaskDefaults } from './task-options.js';

/**
 * Gives a route `.delay`, whatever its controller, method and guards: `@Post() @Delayable()`. It
 * stays as it is for everybody else who calls it, so its own guards must let tasks in;
 * `@UseGuards(TaskGuard)` lets in nothing else. Its answer alone decides what becomes of the task:
 * anything but a 2xx has the queue try again.
 *
 * @param options defaults of its tasks
 */
export function Delayable(options: TaskDefaults = {}): MethodDecorator {
  return (target, name, descriptor) => {
    const where = `@Delayable of ${target.constructor.name}.${String(name)}`;
    const method: unknown = descriptor.value;
    if (typeof method !== 'function') throw new Error(`${where}: not a method.`);
    if (name === 'then') throw new Error(`${where}: a handler can't be called 'then'.`);
    markHandler(method, { options: readOptionsAt(where, options), isOpen: true });
  };
}

/** What the decorators note down about a controller and its handlers, for start-up to read. */
import type { ReadOptions } from '../task-options.js';

const CONTROLLER = 'nest-cloud-tasks:controller';
const HANDLER = 'nest-cloud-tasks:handler';

/**
 * One object a handler. Nest copies a method's metadata onto the callback that it registers with
 * Express, so this very object tells which method a registered route calls.
 */
export interface HandlerMark {
  readonly options: ReadOptions;
  /** That of its `@Task`. */
  readonly path?: string;
  /** Of `@Delayable`: others may call the route too, so what comes need not be a task. */
  readonly isOpen?: boolean;
}

export type ControllerClass = abstract new (...args: never[]) => object;

export function markController(controller: object, options: ReadOptions): void {
  Reflect.defineMetadata(CONTROLLER, options, controller);
}

export function controllerOptions(controller: object): ReadOptions {
  return (Reflect.getMetadata(CONTROLLER, controller) as ReadOptions | undefined) ?? {};
}

export function markHandler(method: object, mark: HandlerMark): void {
  Reflect.defineMetadata(HANDLER, Object.freeze({ ...mark }), method);
}

/** @param callback a handler's method, or what Nest registered for it */
export function handlerMark(callback: object): HandlerMark | undefined {
  return Reflect.getMetadata(HANDLER, callback) as HandlerMark | undefined;
}

/** The handlers of a controller by the name of their method, inherited ones included. */
export function handlersOf(controller: ControllerClass): Map<string, HandlerMark> {
  const handlers = new Map<string, HandlerMark>();
  const seen = new Set<string>();
  for (
    let prototype = controller.prototype as object | null;
    prototype !== null && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype) as object | null
  ) {
    for (const name of Object.getOwnPropertyNames(prototype)) {
      // Not read as a property: that would call a getter.
      const method: unknown = Object.getOwnPropertyDescriptor(prototype, name)?.value;
      const mark = typeof method === 'function' ? handlerMark(method) : undefined;
      // One that overrides a handler without being one itself is no route.
      if (mark && !seen.has(name)) handlers.set(name, mark);
      seen.add(name);
    }
  }
  return handlers;
}

/** Lets a handler's method know of the delivery that calls it, so that the two can be told apart. */
import { AsyncLocalStorage } from 'node:async_hooks';

/** Calls the handler with these arguments, or with others, or not at all. */
export type RunHandler = (
  args: unknown[],
  call: (args: unknown[]) => Promise<unknown>,
) => Promise<unknown>;

interface Delivery {
  /** The method that the route calls. */
  readonly method: object;
  readonly run: RunHandler;
  started: boolean;
}

const deliveries = new AsyncLocalStorage<Delivery>();

/** @param method what `deliverable` returned */
export function deliver<T>(method: object, run: RunHandler, work: () => T): T {
  return deliveries.run({ method, run, started: false }, work);
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/**
 * The same method, for Nest to register: a delivery reaches it through its `RunHandler`, after the
 * pipes, with the arguments as they are by then. Whoever else calls it, a unit test or another
 * method, just calls it.
 */
export function deliverable(method: Method): Method {
  const wrapped: Method = function (...args) {
    const delivery = deliveries.getStore();
    if (delivery?.method !== wrapped || delivery.started) return method.apply(this, args);
    delivery.started = true;
    return delivery.run(args, async (given) => method.apply(this, given));
  };
  for (const key of Reflect.getMetadataKeys(method) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, method), wrapped);
  }
  for (const name of ['name', 'length'] as const) {
    Object.defineProperty(wrapped, name, { value: method[name], configurable: true });
  }
  return wrapped;
}

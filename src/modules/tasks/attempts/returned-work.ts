/** For handlers that take hours: they return their work, which is done once Nest has let go of the request. */
import { SetMetadata } from '@nestjs/common';

/** Resolves to what the queue is answered. */
export type Work = () => Promise<object>;

const RETURNS_WORK = 'nest-cloud-tasks:returns-work';

/**
 * Says below `@Task` that the method resolves to a `Work`. Nest keeps some 16 KB for a handler that
 * is being waited for, which thousands of open calls can't afford. The app's interceptors see such
 * a handler end at once; hooks are around all of it. What it does once is for itself to see to, and
 * whatever its work throws is told by the attempt alone, not by the app's filters.
 */
export const ReturnsWork = (): MethodDecorator => SetMetadata(RETURNS_WORK, true);

/** @param method a handler's, or what Nest registered for it */
export function returnsWork(method: object): boolean {
  return Reflect.hasMetadata(RETURNS_WORK, method);
}

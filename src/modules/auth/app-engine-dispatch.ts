/** Tells a task by the headers that App Engine's front end strips from everybody else's requests. */
import type { IncomingMessage } from 'node:http';
import { forbidden, unauthenticated } from './refusal.js';

/** Also those of the platform's own, `__cron`, which no list of ours has. */
const QUEUE = /^[A-Za-z0-9_-]{1,100}$/;
const TASK = /^[A-Za-z0-9_-]{1,500}$/;

/**
 * Sound on App Engine standard alone, where those headers come from the platform: anywhere else
 * they are anybody's. That the queue is one of ours has to be checked besides: cron's requests have
 * a queue too.
 *
 * @throws Refusal UNAUTHENTICATED
 */
export function checkAppEngineHeaders({ headersDistinct }: IncomingMessage): void {
  const queues = headersDistinct['x-appengine-queuename'] ?? [];
  const tasks = headersDistinct['x-appengine-taskname'] ?? [];
  // One that came twice is none: which of the two did the platform set?
  if (queues.length !== 1 || !QUEUE.test(queues[0] ?? '')) {
    throw unauthenticated('there is no X-AppEngine-QueueName of a queue');
  }
  if (tasks.length !== 1 || !TASK.test(tasks[0] ?? '')) {
    throw unauthenticated('there is no X-AppEngine-TaskName of a task');
  }
}

/**
 * Sound on App Engine standard alone, whose front end strips this header from everybody else's
 * requests.
 *
 * @throws Refusal PERMISSION_DENIED
 */
export function checkCronHeader({ headersDistinct }: IncomingMessage): void {
  const values = headersDistinct['x-appengine-cron'] ?? [];
  if (values.length === 1 && values[0] === 'true') return;
  throw forbidden("there is no 'X-Appengine-Cron: true'");
}

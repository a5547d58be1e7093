/** The one truth about queues: those of the file, those of the options, and where their dead letters go. */
import { existsSync } from 'node:fs';
import {
  deadLetterQueue,
  isDeadLetterQueue,
  LONGEST_QUEUE_ID,
} from '../foundation/dead-letter-queue.js';
import { invalidArgument } from '../engine/errors.js';
import type { PlannedQueue, QueueSettings, QueuesPlan, WantedQueue } from './queues-plan.js';

/** Read where it is there and no other is named. */
export const DEFAULT_QUEUES_FILE = 'tasks.config.yaml';

export interface QueueSources {
  /** Default `tasks.config.yaml` in the working directory, if there is one. */
  readonly queuesFile?: string | undefined;
  readonly queues?: Readonly<Record<string, QueueSettings>> | undefined;
}

/**
 * @returns undefined where nothing is said of queues
 * @throws CloudTasksError INVALID_ARGUMENT with one line: where, which field, what was expected and
 *   what came; also for a queue that both sources have.
 */
export async function wantedQueues({
  queuesFile,
  queues,
}: QueueSources): Promise<QueuesPlan | undefined> {
  const file = queuesFile ?? (existsSync(DEFAULT_QUEUES_FILE) ? DEFAULT_QUEUES_FILE : undefined);
  if (file === undefined && queues === undefined) return undefined;
  // Only here: it brings the parser with it.
  const { readQueuesFile, readQueuesOption } = await import('./queues-file.js');
  const inFile = file === undefined ? undefined : readQueuesFile(file);
  const inOptions = queues === undefined ? [] : readQueuesOption(queues, 'TasksModule').queues;
  for (const { id, place } of inOptions) {
    const first = inFile?.queues.find((queue) => queue.id === id);
    if (first) {
      throw place.error(`the queue is in ${first.place.at} too: say it in one place only`);
    }
  }
  return withDeadLetters({
    notApplied: [],
    ...inFile,
    queues: [...(inFile?.queues ?? []), ...inOptions],
  });
}

/**
 * What a file wants, dead letters included.
 *
 * @param file YAML, or a JavaScript module that exports `queues`
 * @throws as `wantedQueues` does
 */
export async function wantedQueuesOf(file: string): Promise<QueuesPlan> {
  const { readQueuesFile, readQueuesOption } = await import('./queues-file.js');
  if (!/\.[cm]?js$/.test(file)) return withDeadLetters(readQueuesFile(file));
  const { queuesOfModule } = await import('./queues-module.js');
  return withDeadLetters(readQueuesOption(await queuesOfModule(file), file));
}

/**
 * Each queue followed by the one of its dead letters, which is paused, so it only keeps them. One
 * that the plan has itself is as it says there, but for that.
 */
export function withDeadLetters(plan: QueuesPlan<PlannedQueue>): QueuesPlan {
  const own = new Set(plan.queues.map(({ id }) => id));
  const queues = plan.queues.flatMap((queue): WantedQueue[] => {
    const { id, place } = queue;
    if (isDeadLetterQueue(id)) return [paused(queue)];
    if (id.length > LONGEST_QUEUE_ID) throw place.error(tooLong(id));
    return own.has(deadLetterQueue(id)) ? [queue] : [queue, deadLettersOf(id)];
  });
  return { ...plan, queues };
}

/** Queues of which only the name is known: one that is there already stays as it is. */
export function namedQueues(ids: Iterable<string>): QueuesPlan {
  const queues = [...new Set(ids)].flatMap((id) => {
    if (isDeadLetterQueue(id)) throw invalidArgument(`queue ${id}: it is one of dead letters`);
    if (id.length > LONGEST_QUEUE_ID) throw invalidArgument(`queue ${id}: ${tooLong(id)}`);
    return [{ id, settings: WITHOUT_END, onlyState: true as const }, deadLettersOf(id)];
  });
  return { notApplied: [], queues };
}

const WITHOUT_END = { retryConfig: { maxAttempts: -1 } };

function deadLettersOf(id: string): WantedQueue {
  return { id: deadLetterQueue(id), settings: WITHOUT_END, state: 'PAUSED', onlyState: true };
}

function paused(queue: PlannedQueue): WantedQueue {
  if (queue.state === 'RUNNING') {
    throw queue.place.error('a queue of dead letters must be paused: leave its state out');
  }
  return { ...queue, state: 'PAUSED' };
}

function tooLong(id: string): string {
  return `expected at most ${LONGEST_QUEUE_ID} characters in its name, since its dead letters are parked in ${deadLetterQueue('<name>')}, got ${id.length}`;
}

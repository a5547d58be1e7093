/** Creates many tasks: a few at a time, each tried again where that is safe, each with its result. */
import { Inject, Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { CloudTasksError, invalidArgument } from '../../../engine/errors.js';
import type { Clock } from '../../../engine/ports.js';
import type { Duration } from '../../../engine/time.js';
import { MILLISECOND } from '../../../engine/time.js';
import { CLOCK } from '../../cloud-tasks/queue-backend.js';
import { namingHandler } from '../attempts/handler-error.js';
import type { ReadTaskId } from './task-id.js';
import { idOf, readTaskId } from './task-id.js';
import type { BaseOptions, ReadOptions } from '../task-options.js';
import { mergeOptions, readTaskOptions, TASK_OPTIONS } from '../task-options.js';
import type { OutgoingCall } from './task-sender.js';
import { TaskSender } from './task-sender.js';
import type { ManyOptions, SettledTask, TaskRef } from '../tasks.js';
import { refuseUnknown, shown } from '../unknown-option.js';

/** What may pass by itself. That an attempt may have been carried out is no harm: its id is fixed. */
const PASSING = ['UNAVAILABLE', 'RESOURCE_EXHAUSTED', 'ABORTED', 'DEADLINE_EXCEEDED', 'INTERNAL'];
const MOST_TRIES = 5;
const FIRST_WAIT: Duration = 200 * MILLISECOND;

/** About what one connection to Google carries at once. */
const DEFAULT_CONCURRENCY = 50;
const MOST_CONCURRENCY = 1000;

type Arguments = unknown[];

export type ListOfArguments = Iterable<Arguments> | AsyncIterable<Arguments>;

/** Whose calls they are, and how one item of the list becomes one. */
export interface Caller {
  /** `EmailTasks.send` */
  readonly handler: string;
  call(args: Arguments, options: BaseOptions): Promise<OutgoingCall>;
}

interface ReadManyOptions {
  readonly concurrency: number;
  readonly idOf: ((args: unknown[], index: number) => unknown) | undefined;
  readonly onResult: ((result: SettledTask, index: number) => unknown) | undefined;
  readonly options: BaseOptions;
}

type ManyCallOptions = Omit<BaseOptions, 'taskId'> & { readonly taskId: ReadTaskId | undefined };

@Injectable()
export class ManySender {
  constructor(
    private readonly sender: TaskSender,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws CloudTasksError for options; what becomes of an item is in its result */
  async send(
    list: ListOfArguments,
    given: ManyOptions<unknown[]>,
    base: BaseOptions,
    caller: Caller,
  ): Promise<SettledTask[]> {
    const many = readManyOptions(given, base);
    const results: SettledTask[] = [];
    await forEachOf(list, many.concurrency, async (args, index) => {
      const result = await this.settle(args, index, many, caller);
      if (many.onResult) await many.onResult(result, index);
      else results[index] = result;
    });
    return results;
  }

  private async settle(
    args: Arguments,
    index: number,
    many: ReadManyOptions,
    caller: Caller,
  ): Promise<SettledTask> {
    try {
      const value = await namingHandler(caller.handler, async () => {
        checkArguments(args, index);
        const outgoing = await caller.call(args, many.options);
        const taskId = many.idOf ? readTaskId(many.idOf(args, index)) : many.options.taskId;
        return this.create(outgoing, { ...many.options, taskId });
      });
      return { status: 'fulfilled', value };
    } catch (error) {
      const reason =
        error instanceof CloudTasksError
          ? error
          : new CloudTasksError('UNKNOWN', String(error), { cause: error });
      return { status: 'rejected', reason };
    }
  }

  private async create(call: OutgoingCall, options: ManyCallOptions): Promise<TaskRef> {
    const { taskId } = options;
    const now = this.clock.now();
    if (taskId !== undefined) {
      return this.persist(call, { ...options, taskId: idOf(taskId, call, now) });
    }
    const id = randomUUID().replaceAll('-', '');
    // Nobody else has this id: a duplicate is what an earlier try has made.
    const { duplicate: _, ...created } = await this.persist(call, { ...options, taskId: id });
    return created;
  }

  private async persist(call: OutgoingCall, options: BaseOptions): Promise<TaskRef> {
    for (let tries = 1; ; tries++) {
      try {
        // An earlier try may have made the task.
        const onDuplicate = tries > 1 ? 'ignore' : (options.onDuplicate ?? 'error');
        return await this.sender.send(call, { ...options, onDuplicate });
      } catch (error) {
        const passes = error instanceof CloudTasksError && PASSING.includes(error.code);
        if (!passes || tries === MOST_TRIES) throw error;
        await this.wait(FIRST_WAIT * 2 ** (tries - 1) * (0.5 + Math.random() / 2));
      }
    }
  }

  private wait(duration: Duration): Promise<void> {
    return new Promise((resolve) => {
      this.clock.after(Math.round(duration), resolve);
    });
  }
}

function readManyOptions(given: ManyOptions<unknown[]>, base: BaseOptions): ReadManyOptions {
  refuseUnknown(given, [...TASK_OPTIONS, 'concurrency', 'onResult'], 'delayMany');
  const { concurrency = DEFAULT_CONCURRENCY, onResult, taskId, ...rest } = given;
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > MOST_CONCURRENCY) {
    throw invalidArgument(
      `concurrency: expected a whole number from 1 to ${MOST_CONCURRENCY}, got ${String(concurrency)}.`,
      'concurrency',
    );
  }
  if (onResult !== undefined && typeof onResult !== 'function') {
    throw invalidArgument(`onResult: expected a function, got ${shown(onResult)}.`, 'onResult');
  }
  const idOf = typeof taskId === 'function' ? taskId : undefined;
  const rule = typeof taskId === 'function' ? undefined : taskId;
  const options = mergeOptions(base, readTaskOptions({ ...rest, taskId: rule }));
  refuseOneId(options, idOf !== undefined);
  return { concurrency, idOf, onResult, options };
}

function checkArguments(args: unknown, index: number): void {
  if (Array.isArray(args)) return;
  throw invalidArgument(
    `delayMany: expected a list of arguments for each call, as in [[first], [second]], got ${shown(args)} at ${index}.`,
    `list[${index}]`,
  );
}

function refuseOneId({ taskId }: ReadOptions, named: boolean): void {
  if (typeof taskId !== 'string' || named) return;
  throw invalidArgument(
    'taskId: delayMany takes a function that gives each call its own id, not one text.',
    'taskId',
  );
}

/**
 * Takes the next item only when one of `width` workers is free, so that of a list that is made on
 * the way no more than that is in memory.
 *
 * @throws what the list or `work` throws, when all that was begun has ended
 */
async function forEachOf<Item>(
  list: Iterable<Item> | AsyncIterable<Item>,
  width: number,
  work: (item: Item, index: number) => Promise<void>,
): Promise<void> {
  const iterator = iteratorOf(list);
  let count = 0;
  let ended = false;
  let turn: Promise<unknown> = Promise.resolve();
  const take = async () => {
    const next = ended ? undefined : await iterator.next();
    if (!next || next.done) {
      ended = true;
      return undefined;
    }
    return { item: next.value, index: count++ };
  };
  const worker = async () => {
    try {
      for (;;) {
        // In turn: an iterator need not stand being asked twice at a time.
        const taken = turn.then(take);
        turn = taken.catch(() => undefined);
        const one = await taken;
        if (!one) return;
        await work(one.item, one.index);
      }
    } catch (error) {
      ended = true;
      throw error;
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: width }, worker));
  const failed = workers.find((one) => one.status === 'rejected');
  if (!failed) return;
  await iterator.return?.();
  throw failed.reason;
}

function iteratorOf<Item>(
  list: Iterable<Item> | AsyncIterable<Item>,
): Iterator<Item> | AsyncIterator<Item> {
  const given: unknown = list;
  if (typeof given === 'object' && given !== null) {
    if (Symbol.asyncIterator in list) return list[Symbol.asyncIterator]();
    if (Symbol.iterator in list) return list[Symbol.iterator]();
  }
  throw invalidArgument(
    `delayMany: expected a list of lists of arguments, or an iterable of them, got ${shown(given)}.`,
    'list',
  );
}

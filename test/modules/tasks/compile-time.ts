/** What must and must not compile: run by the type check of the whole project. */
import type {
  DelayedCall,
  SettledTask,
  TaskContext,
  TaskDefaults,
  TaskOptions,
  TaskRef,
  Tasks,
} from '../../../src/index.js';

declare class Email {
  to: string;
  subject?: string;
}

declare class Handlers {
  send(email: Email, task: TaskContext): Promise<void>;
  many(id: string, count: number, tags: string[] | undefined, task: TaskContext): Promise<void>;
  none(): Promise<void>;
  only(task: TaskContext): Promise<void>;
  plain(email: Email): void;
  optional(id: string, note?: string): Promise<string>;
  anything(body: any): Promise<void>; // eslint-disable-line @typescript-eslint/no-explicit-any -- users have it
  /** Looks like a context, but is the task's own data. */
  lookalike(facts: { queue: string; taskId: string }): Promise<void>;
  readonly setting: string;
}

declare const tasks: Tasks<Handlers>;
declare const context: TaskContext;
const email = { to: 'ada@example.com' };

export const good: Promise<TaskRef>[] = [
  tasks.send.delay(email),
  tasks.send.options({ countdown: '30m', taskId: 'welcome-42' }).delay(email),
  tasks.many.delay('1', 2, ['a']),
  tasks.many.delay('1', 2, undefined),
  tasks.none.delay(),
  tasks.only.delay(),
  tasks.plain.delay(email),
  tasks.optional.delay('1'),
  tasks.optional.delay('1', 'note'),
  tasks.anything.delay(1),
  tasks.anything.delay({ any: 'thing' }),
  tasks.lookalike.delay({ queue: 'q', taskId: 't' }),
];
export const typed: DelayedCall<[email: Email]> = tasks.send;

// @ts-expect-error an argument is missing
void tasks.send.delay();
// @ts-expect-error an argument is of another type
void tasks.send.delay('ada@example.com');
// @ts-expect-error a field is missing
void tasks.send.delay({ subject: 'Hello' });
// @ts-expect-error a field is too many
void tasks.send.delay({ to: 'ada@example.com', sbject: 'Hello' });
// @ts-expect-error the context comes with each attempt
void tasks.send.delay(email, context);
// @ts-expect-error an argument is too many
void tasks.none.delay(1);
// @ts-expect-error the arguments are in another order
void tasks.many.delay(2, '1', undefined);
// @ts-expect-error an argument is missing, also where undefined would do
void tasks.many.delay('1', 2);
// @ts-expect-error an argument is missing
void tasks.anything.delay();
// @ts-expect-error the same holds after options
void tasks.send.options({}).delay();
// @ts-expect-error there is no such handler
export type Misspelt = (typeof tasks)['sendd'];
// @ts-expect-error a field is no handler
export type Field = (typeof tasks)['setting'];
// @ts-expect-error handlers are not to be replaced
tasks.none = tasks.only;

export const options: TaskOptions[] = [
  { countdown: '1500ms' },
  { dispatchDeadline: '30s', scheduleTime: new Date(), queue: 'q', headers: { a: 'b' } },
  { target: 'app-engine' },
  { target: { service: 'worker', version: undefined } },
  { taskId: 'welcome-42', onDuplicate: 'ignore', createTimeout: '5s' },
  { taskId: { window: '10m' } },
  { taskId: { window: '10m', byPayload: true }, oidc: { audience: 'https://example.com' } },
  { taskId: { byPayload: true } },
  // @ts-expect-error a rule that says nothing
  { taskId: {} },
  // @ts-expect-error there are two ways only
  { onDuplicate: 'replace' },
  // @ts-expect-error a bare number has no unit
  { countdown: 30 },
  // @ts-expect-error nor has this one
  { countdown: '30' },
  // @ts-expect-error there is no such unit
  { countdown: '2w' },
  // @ts-expect-error an unknown option
  { quue: 'q' },
  // @ts-expect-error a time is a Date
  { scheduleTime: '2030-01-01' },
];

export const existing: Promise<unknown>[] = [
  tasks.send.cancel('welcome-42'),
  tasks.send.options({ queue: 'other' }).runNow('welcome-42'),
];
// @ts-expect-error which task?
void tasks.send.cancel();
// @ts-expect-error one id would make one task of all
export const defaults: TaskDefaults = { taskId: 'welcome-42' };

declare const emails: Email[];
async function* stream(): AsyncGenerator<[Email]> {
  yield [email];
}
export const many: Promise<SettledTask[]>[] = [
  tasks.send.delayMany([[email], [email]]),
  tasks.send.delayMany(emails.map((one) => [one])),
  tasks.send.delayMany(stream(), { concurrency: 10 }),
  tasks.send.options({ countdown: '5m' }).delayMany([[email]], { taskId: ([one]) => one.to }),
];
export const nothing: Promise<void> = tasks.send.delayMany(stream(), {
  onResult: (result, index) => [result.status, index],
});
// @ts-expect-error arguments come as lists
void tasks.send.delayMany([email]);
// @ts-expect-error an argument is missing
void tasks.send.delayMany([[]]);
// @ts-expect-error one id would make one task of all
void tasks.send.delayMany([[email]], { taskId: 'welcome-42' });

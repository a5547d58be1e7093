/** Hooks that come with the library, for what the options can't say since it differs by task. */
import type { DurationText } from '../../../foundation/duration.js';
import type { TaskDraft, TaskHook } from './task-hook.js';

/**
 * Gives each task the headers that a function finds for it, at the time of the call: the number of
 * the request that is being answered, say. Those that the call names itself stay as they are.
 */
export function headersHook(
  headers: (
    draft: TaskDraft,
  ) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>,
): TaskHook {
  return {
    async beforeCreate(draft) {
      const found = Object.entries(await headers(draft));
      const added = found.filter(([name]) => draft.headers[name.toLowerCase()] === undefined);
      return { headers: Object.fromEntries(added) };
    },
  };
}

/**
 * Gives each task the `dispatchDeadline` that a function finds for it, by the size of its body, say;
 * undefined leaves the one that it has.
 */
export function deadlineHook(
  deadline: (draft: TaskDraft) => DurationText | undefined | Promise<DurationText | undefined>,
): TaskHook {
  return {
    async beforeCreate(draft) {
      return { dispatchDeadline: await deadline(draft) };
    },
  };
}

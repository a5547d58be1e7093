/** What becomes of the wanted queues when an app starts, and what is logged of it. */
import type { Logger } from '@nestjs/common';
import type { CloudTasksApi } from '../../engine/cloud-tasks-api.js';
import type { QueuesPlan } from '../../host/queues-plan.js';
import { isDeadLetterQueue } from '../../foundation/dead-letter-queue.js';

/** Makes them so, as the embedded engine is this app's own. */
export async function applyQueuesAtStart(
  api: CloudTasksApi,
  location: string,
  wanted: QueuesPlan,
  logger: Logger,
): Promise<void> {
  const { applyQueues } = await import('../../host/apply-queues.js');
  const created: string[] = [];
  for (const { kind, id, text } of await applyQueues(api, location, wanted)) {
    if (kind === 'drifted' || kind === 'refused') logger.warn(text);
    else if (kind === 'created' && id !== undefined) created.push(id);
    else logger.log(text);
  }
  if (created.length > 0) logger.log(createdLine(created));
}

/** One line, however many they are: the first start makes them all. */
function createdLine(ids: readonly string[]): string {
  const paused = ids.filter(isDeadLetterQueue);
  const named = ids.filter((id) => !isDeadLetterQueue(id));
  if (named.length === 0) return `Queues created, paused: ${paused.join(', ')}.`;
  const rest = paused.length > 0 ? ', and paused ones for their dead letters' : '';
  return `Queues created: ${named.join(', ')}${rest}.`;
}

/** Creates those that are missing. Only what goes wrong is worth a line. */
export async function ensureQueuesAtStart(
  api: CloudTasksApi,
  location: string,
  ids: Iterable<string>,
  logger: Logger,
): Promise<void> {
  const { applyQueues } = await import('../../host/apply-queues.js');
  const { namedQueues } = await import('../../host/wanted-queues.js');
  for (const { kind, text } of await applyQueues(api, location, namedQueues(ids))) {
    if (kind === 'refused') logger.warn(text);
  }
}

/**
 * Says how they differ, and changes nothing: on Google that takes a permission that an app need not
 * have, and somebody who looks at what will be changed.
 *
 * @throws CloudTasksError where they can't be read
 */
export async function warnOfDrift(
  api: CloudTasksApi,
  location: string,
  wanted: QueuesPlan,
  logger: Logger,
): Promise<void> {
  const { queueChanges } = await import('../../host/queue-changes.js');
  const changes = await queueChanges(api, location, wanted);
  const drift = changes.flatMap(({ kind, planned: { id }, differences, state }) => {
    if (kind === 'create') return [`Queue ${id} is missing in ${location}.`];
    if (kind === 'update')
      return [`Queue ${id} is not as it is wanted: ${differences.join(', ')}.`];
    return kind === 'drift' ? [`Queue ${id} is ${String(state)}.`] : [];
  });
  for (const line of drift) logger.warn(line);
  if (changes.some(({ kind }) => kind === 'create' || kind === 'update')) {
    logger.warn('Queues are changed by: npx nest-cloud-tasks queues apply');
  }
}

/** Reads queues from a YAML file, in whichever of its three forms it is written, or from options. */
import { CloudTasksError } from '../engine/errors.js';
import { newQueue } from '../engine/queue.js';
import { printable } from '../foundation/printable.js';
import type { PlannedQueue, QueueSettings, QueuesPlan } from './queues-plan.js';
import { readOwnForm } from './queues-own-form.js';
import { readQueueYaml } from './queues-queue-yaml.js';
import { readResources } from './queues-resources.js';
import { parseYaml, placeOf, textOfFile } from '../foundation/yaml-place.js';

/** How each form is known, by the one key that only it has. */
const FORMS = {
  queues: readOwnForm,
  queue: readQueueYaml,
  resources: readResources,
} as const;

/**
 * @param path our own form, Google's `queue.yaml`, or a list of `resources`
 * @throws CloudTasksError INVALID_ARGUMENT with one line: the file, the line in it, the field, what
 *   was expected and what came.
 */
export function readQueuesFile(path: string): QueuesPlan<PlannedQueue> {
  return planQueues(textOfFile(path), path);
}

/** The same, of the file's content. */
export function planQueues(content: string, file: string): QueuesPlan<PlannedQueue> {
  const root = parseYaml(content, printable(file, 200));
  if (root.isNothing) root.refuse('queues:, queue: or resources:');
  const names = new Set(root.entries().map(([name]) => name));
  const forms = Object.entries(FORMS).filter(([name]) => names.has(name));
  const [form, another] = forms;
  if (another) throw root.error('expected one of queues:, queue: and resources:, got several');
  // With none, our own form says which name it takes for which.
  const plan = (form?.[1] ?? readOwnForm)(root);
  checkQueues(plan.queues);
  return plan;
}

/**
 * The queues of an app's options, by the rules of our own form.
 *
 * @param owner whose they are, as errors name it
 */
export function readQueuesOption(
  queues: Readonly<Record<string, QueueSettings>>,
  owner: string,
): QueuesPlan<PlannedQueue> {
  const plan = readOwnForm(placeOf({ queues }, owner));
  checkQueues(plan.queues);
  return plan;
}

function checkQueues(queues: readonly PlannedQueue[]): void {
  const ids = new Map<string, PlannedQueue>();
  for (const queue of queues) {
    const first = ids.get(queue.id);
    if (first)
      throw queue.place.error(`queue ${queue.id} is there twice, first in ${first.place.where}`);
    ids.set(queue.id, queue);
    try {
      const name = `projects/p/locations/l/queues/${queue.id}`;
      newQueue({ ...queue.settings, ...queue.atCreation, name }, 'v2beta3');
    } catch (error) {
      if (error instanceof CloudTasksError) throw queue.place.error(error.message);
      throw error;
    }
  }
}

/** A list of cloud resources, of which the Cloud Tasks queues are taken. */
import { nearestName } from '../did-you-mean.js';
import type { PlannedQueue, QueuesPlan } from './queues-plan.js';
import { QUEUE_ID, QUEUE_ID_EXPECTED } from './queues-plan.js';
import { readSettings, schedulesOf, SETTINGS, withoutEnd } from './queues-own-form.js';
import { checkCloudRun } from './services-form.js';
import type { YamlPlace } from '../yaml-place.js';

const QUEUE_TYPE = 'cloud_tasks_queue';
const SERVICE_TYPE = 'cloud_run';
const NAME = /^[\w.-]{1,200}$/;

/** Everything else belongs to other tools, and is theirs to judge. */
export function readResources(root: YamlPlace): QueuesPlan<PlannedQueue> {
  const top = new Map(root.entries());
  const region = top.get('region')?.text(NAME, "a region such as 'us-central1'");
  const queues: PlannedQueue[] = [];
  const notApplied: string[] = [];
  for (const place of top.get('resources')?.items() ?? []) {
    const fields = new Map(place.entries());
    const typePlace = fields.get('type') ?? place.refuse('a resource with a type');
    const type = typePlace.text(NAME, `a type such as '${QUEUE_TYPE}'`);
    if (type === QUEUE_TYPE) {
      queues.push(readQueue(place));
    } else if (nearestName(type, [QUEUE_TYPE])) {
      throw typePlace.error(`not a type of resource, did you mean ${QUEUE_TYPE}?`);
    } else {
      const config = fields.get('config');
      if (type === SERVICE_TYPE && config) checkCloudRun(config);
      const id = (fields.get('name') ?? fields.get('id'))?.text(NAME, 'a name') ?? place.path;
      notApplied.push(`${id}, a ${type} (${place.where})`);
    }
  }
  return {
    queues,
    notApplied,
    ...schedulesOf(top.get('schedules')),
    ...(region === undefined ? {} : { region }),
  };
}

function readQueue(place: YamlPlace): PlannedQueue {
  const fields = place.fields(['id', 'type', 'name', 'provider', 'config']);
  fields.get('provider')?.oneOf(['gcp']);
  const named = fields.get('name') ?? fields.get('id') ?? place.refuse('a queue with a name');
  const config = fields.get('config');
  const settings = config && !config.isNothing ? [...config.fields(SETTINGS.map(snakeCase))] : [];
  return {
    id: named.text(QUEUE_ID, QUEUE_ID_EXPECTED),
    settings: withoutEnd(
      readSettings(new Map(settings.map(([name, at]) => [camelCase(name), at]))),
    ),
    place,
  };
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

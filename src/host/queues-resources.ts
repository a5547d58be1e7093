/** A list of cloud resources, of which the Cloud Tasks queues and the schedules are taken. */
import { nearestName } from '../foundation/did-you-mean.js';
import type { PlannedQueue, QueuesPlan } from './queues-plan.js';
import { QUEUE_ID, QUEUE_ID_EXPECTED } from './queues-plan.js';
import { checkTicks, readSettings, schedulesOf, SETTINGS, withoutEnd } from './queues-own-form.js';
import { readScheduler } from './resources-schedules.js';
import { checkCloudRun } from './services-form.js';
import type { WantedSchedule } from '../foundation/schedule-plan.js';
import type { YamlPlace } from '../foundation/yaml-place.js';

const QUEUE_TYPE = 'cloud_tasks_queue';
const SERVICE_TYPE = 'cloud_run';
const SCHEDULE_TYPE = 'cloud_scheduler';
const NAME = /^[\w.-]{1,200}$/;

/** Everything else belongs to other tools, and is theirs to judge. */
export function readResources(root: YamlPlace): QueuesPlan<PlannedQueue> {
  const top = new Map(root.entries());
  const region = top.get('region')?.text(NAME, "a region such as 'us-central1'");
  const queues: PlannedQueue[] = [];
  const schedules: WantedSchedule[] = [];
  const notApplied: string[] = [];
  for (const place of top.get('resources')?.items() ?? []) {
    const fields = new Map(place.entries());
    const typePlace = fields.get('type') ?? place.refuse('a resource with a type');
    const type = typePlace.text(NAME, `a type such as '${QUEUE_TYPE}'`);
    const nearest = nearestName(type, [QUEUE_TYPE, SCHEDULE_TYPE]);
    if (type === QUEUE_TYPE) {
      queues.push(readQueue(place));
    } else if (type === SCHEDULE_TYPE) {
      schedules.push(readScheduler(place, checkTicks));
    } else if (nearest !== undefined) {
      throw typePlace.error(`not a type of resource, did you mean ${nearest}?`);
    } else {
      const config = fields.get('config');
      if (type === SERVICE_TYPE && config) checkCloudRun(config);
      const id = (fields.get('name') ?? fields.get('id'))?.text(NAME, 'a name') ?? place.path;
      notApplied.push(`${id}, a ${type} (${place.where})`);
    }
  }
  const named = schedulesOf(top.get('schedules')).schedules ?? [];
  return {
    queues,
    notApplied,
    ...(schedules.length + named.length > 0 ? { schedules: [...schedules, ...named] } : {}),
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

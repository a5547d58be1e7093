/** Sizes of Cloud Run services, as the files of queues write them beside the queues. */
import type { Duration } from '../engine/time.js';
import { HOUR, SECOND } from '../engine/time.js';
import type { YamlPlace } from '../foundation/yaml-place.js';

/** The services that the app is deployed as on Cloud Run: who enqueues, and who runs handlers. */
const SERVICES = ['api', 'worker'] as const;
const MOST_INSTANCES = 1000;

/** Read by Terraform, so here they are only checked. */
export function checkServices(place: YamlPlace): void {
  if (place.isNothing) return;
  for (const service of place.fields(SERVICES).values()) {
    if (service.isNothing) continue;
    const fields = service.fields([
      ...['cpu', 'memory', 'minInstances', 'maxInstances', 'concurrency', 'timeout'],
    ]);
    checkSize(fields, { least: 'minInstances', most: 'maxInstances' });
    fields
      .get('timeout')
      ?.duration((value) => isTimeout(value) && value % SECOND === 0, "whole seconds up to '1h'");
  }
}

/** The `config` of a `cloud_run` row in a list of resources. */
export function checkCloudRun(place: YamlPlace): void {
  if (place.isNothing) return;
  const fields = place.fields([
    ...['port', 'memory', 'cpu', 'min_instances', 'max_instances', 'concurrency', 'timeout'],
    'allow_unauthenticated',
  ]);
  checkSize(fields, { least: 'min_instances', most: 'max_instances' });
  fields.get('port')?.number(whole(1, 65_535), 'a port from 1 to 65535');
  fields
    .get('timeout')
    ?.number((value) => whole(1, 3600)(value), 'whole seconds from 1 to 3600, without a unit');
  fields.get('allow_unauthenticated')?.oneOf([true, false]);
}

function checkSize(
  fields: ReadonlyMap<string, YamlPlace>,
  names: { readonly least: string; readonly most: string },
): void {
  // Cloud Run's own steps; below one CPU it handles one request at a time.
  fields.get('cpu')?.text(/^[12468]$/, 'a number of CPUs: 1, 2, 4, 6 or 8');
  fields.get('memory')?.text(/^[1-9]\d{0,5}(?:Mi|Gi)$/, "a size such as '512Mi' or '1Gi'");
  fields.get('concurrency')?.number(whole(1, 1000), 'a whole number from 1 to 1000');
  const count = (name: string, from: number) =>
    fields
      .get(name)
      ?.number(whole(from, MOST_INSTANCES), `a whole number from ${from} to ${MOST_INSTANCES}`);
  const least = count(names.least, 0) ?? 0;
  const most = count(names.most, 1) ?? MOST_INSTANCES;
  if (least > most) {
    fields.get(names.least)?.refuse(`at most ${names.most}, which is ${most}`);
  }
}

function isTimeout(value: Duration): boolean {
  return value > 0 && value <= HOUR;
}

function whole(least: number, most: number): (value: number) => boolean {
  return (value) => Number.isInteger(value) && value >= least && value <= most;
}

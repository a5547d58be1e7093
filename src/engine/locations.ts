/** The locations of a project. A laptop has none, so they are those of its queues and jobs, and a first one. */
import type { Page } from './cloud-tasks-api.js';
import { pageSize, readPageToken, writePageToken } from './page.js';
import { checkLocationName, checkProjectName } from './resource-name.js';
import type { Instant } from './time.js';

export interface Location {
  /** `projects/PROJECT/locations/LOCATION` */
  name: string;
  locationId: string;
  labels: Record<string, string>;
}

export interface ListLocationsRequest extends Page {
  /** `projects/PROJECT` */
  name: string;
}

export interface ListLocationsAnswer {
  locations: Location[];
  nextPageToken?: string;
}

export interface LocationsApi {
  /** Lexicographic. */
  listLocations(request: ListLocationsRequest): Promise<ListLocationsAnswer>;
  /** Any that a queue could be made in. */
  getLocation(request: { name: string }): Promise<Location>;
}

/** There is always one, so that clients which choose a location by themselves find it. */
const FIRST = 'us-central1';
const PAGE = 1000;

export function locationsOf(
  request: ListLocationsRequest,
  /** Of queues and of jobs. */
  resources: Iterable<string>,
  now: Instant,
): ListLocationsAnswer {
  const { name } = request;
  checkProjectName(name, 'name');
  const size = pageSize(request, PAGE);
  const after = readPageToken(request, 'string', name, now) ?? '';
  const names = new Set([`${name}/locations/${FIRST}`]);
  for (const resource of resources) {
    if (resource.startsWith(`${name}/locations/`)) {
      names.add(resource.replace(/\/(queues|jobs)\/.*$/, ''));
    }
  }
  const rest = [...names].filter((location) => location > after).sort();
  const last = rest[size - 1];
  return {
    locations: rest.slice(0, size).map(locationOf),
    ...(last && rest.length > size ? { nextPageToken: writePageToken(last, name, now) } : {}),
  };
}

export function locationOf(name: string): Location {
  checkLocationName(name, 'name');
  const locationId = name.slice(name.lastIndexOf('/') + 1);
  return { name, locationId, labels: { 'cloud.googleapis.com/region': locationId } };
}

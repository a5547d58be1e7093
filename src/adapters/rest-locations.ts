/** Locations, and the App Engine application by which gcloud finds one when none is given. */
import { checkLocationName } from '../engine/resource-name.js';
import type { RestRoutes } from './rest-routes.js';

/** The API has these by google.cloud.location's mixin, so its own protos don't. */
const VERSIONS = ['v1', 'v2', 'v2beta3'];

/**
 * Every location is served; this is the one that is listed. gcloud takes the first of the list
 * when it isn't given any, and warns when there are more.
 */
const LISTED = 'us-central1';

export function addLocations(routes: RestRoutes): void {
  for (const version of VERSIONS) {
    routes.add({ get: `/${version}/{name=projects/*}/locations` }, ({ variables }) => ({
      locations: [location(`${variables.get('name') ?? ''}/locations/${LISTED}`)],
    }));
    routes.add({ get: `/${version}/{name=projects/*/locations/*}` }, ({ variables }) =>
      location(variables.get('name') ?? ''),
    );
  }
  // gcloud asks whether the project has an App Engine application before it trusts the list.
  routes.add({ get: '/v1/apps/{project=*}' }, ({ variables }) =>
    application(variables.get('project') ?? ''),
  );
}

function location(name: string) {
  checkLocationName(name, 'name');
  const locationId = name.slice(name.lastIndexOf('/') + 1);
  return { name, locationId, labels: { 'cloud.googleapis.com/region': locationId } };
}

function application(project: string) {
  checkLocationName(`projects/${project}/locations/${LISTED}`, 'name');
  return {
    name: `apps/${project}`,
    id: project,
    // App Engine's own name of that region.
    locationId: 'us-central',
    servingStatus: 'SERVING',
  };
}

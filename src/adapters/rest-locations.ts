/** Locations, and the App Engine application by which gcloud finds one when none is given. */
import type { Page } from '../engine/cloud-tasks-api.js';
import type { LocationsApi } from '../engine/locations.js';
import { checkProjectName } from '../engine/resource-name.js';
import type { RestRoutes } from './rest-routes.js';

/** The API has these by google.cloud.location's mixin, so its own protos don't. */
const VERSIONS = ['v1', 'v2', 'v2beta3'];

export function addLocations(routes: RestRoutes, api: LocationsApi): void {
  for (const version of VERSIONS) {
    routes.add({ get: `/${version}/{name=projects/*}/locations` }, ({ variables, query }) =>
      api.listLocations({ name: variables.get('name') ?? '', ...page(query) }),
    );
    routes.add({ get: `/${version}/{name=projects/*/locations/*}` }, ({ variables }) =>
      api.getLocation({ name: variables.get('name') ?? '' }),
    );
  }
  // gcloud asks whether the project has an App Engine application before it trusts the list.
  routes.add({ get: '/v1/apps/{project=*}' }, ({ variables }) =>
    application(variables.get('project') ?? ''),
  );
}

function page(query: URLSearchParams): Page {
  const pageSize = query.get('pageSize') ?? query.get('page_size');
  const pageToken = query.get('pageToken') ?? query.get('page_token');
  return {
    ...(pageSize ? { pageSize: Number(pageSize) } : {}),
    ...(pageToken ? { pageToken } : {}),
  };
}

function application(project: string) {
  checkProjectName(`projects/${project}`, 'name');
  // The location is App Engine's own name of us-central1.
  const state = { locationId: 'us-central', servingStatus: 'SERVING' };
  return { name: `apps/${project}`, id: project, ...state };
}

/** All that the engine can be asked: CloudTasksApi, and what only v2beta3 and REST have. */
import type { CloudTasksApi } from './cloud-tasks-api.js';
import type { LocationsApi } from './locations.js';

export interface EngineApi extends CloudTasksApi, LocationsApi {}

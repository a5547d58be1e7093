/** Which key a location's tasks are encrypted with: kept and answered, and used for nothing. */
import { refusal } from './error-catalogue.js';
import type { TaskStore } from './ports.js';

export interface CmekConfig {
  /** `projects/PROJECT/locations/LOCATION/cmekConfig` */
  name: string;
  /** Full name of a key of Cloud KMS; empty for none. */
  kmsKey: string;
}

export interface UpdateCmekConfigRequest {
  cmekConfig: CmekConfig;
  /** Default: all. */
  updateMask?: string[];
}

export interface CmekConfigApi {
  getCmekConfig(request: { name: string }): Promise<CmekConfig>;
  updateCmekConfig(request: UpdateCmekConfigRequest): Promise<CmekConfig>;
}

const NAME = /^projects\/[A-Za-z0-9:.-]+\/locations\/[A-Za-z0-9-]+\/cmekConfig$/;
const KEY = /^projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+$/;

export class CmekConfigs {
  constructor(private readonly store: TaskStore) {}

  get(name: string, field = 'name'): CmekConfig {
    if (!NAME.test(name)) throw refusal('CMEK_NAME', { field });
    return { name, kmsKey: this.store.value(keyOf(name)) ?? '' };
  }

  async update({ cmekConfig, updateMask }: UpdateCmekConfigRequest): Promise<CmekConfig> {
    const { name, kmsKey } = cmekConfig;
    const before = this.get(name, 'cmekConfig.name');
    for (const path of updateMask ?? []) {
      if (path !== 'kmsKey' && path !== 'name') {
        throw refusal('CMEK_MASK', { path, field: 'updateMask' });
      }
    }
    if (updateMask && !updateMask.includes('kmsKey')) return before;
    if (kmsKey && !KEY.test(kmsKey)) throw refusal('KMS_KEY', { field: 'cmekConfig.kmsKey' });
    await this.store.putValue(keyOf(name), kmsKey || undefined);
    return { name, kmsKey };
  }
}

function keyOf(name: string): string {
  return `cmek ${name}`;
}

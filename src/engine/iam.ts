/** IAM policies of queues: kept and answered as they were set, and not enforced. */
import { refusal } from './error-catalogue.js';
import type { IamBinding, IamPolicy, SetIamPolicyRequest } from './iam-api.js';
import type { Clock, TaskStore } from './ports.js';

/** What Google answers where no policy was ever set. */
const NONE: IamPolicy = { version: 0, bindings: [], etag: 'ACAB' };
const VERSIONS = [0, 1, 3];
const MASK = ['bindings', 'version', 'etag'];

export class IamPolicies {
  constructor(private readonly ports: { readonly store: TaskStore; readonly clock: Clock }) {}

  get(queue: string): IamPolicy {
    const text = this.ports.store.value(keyOf(queue));
    return text === undefined ? structuredClone(NONE) : (JSON.parse(text) as IamPolicy);
  }

  async set({ resource, policy, updateMask = MASK }: SetIamPolicyRequest): Promise<IamPolicy> {
    for (const path of updateMask) {
      if (!MASK.includes(path)) {
        throw refusal('POLICY_MASK', { path, field: 'updateMask' });
      }
    }
    const before = this.get(resource);
    if (policy.etag && policy.etag !== before.etag) {
      throw refusal('POLICY_ETAG', { field: 'policy.etag' });
    }
    const version = policy.version || 1;
    if (!VERSIONS.includes(version)) {
      throw refusal('POLICY_VERSION', { version, field: 'policy.version' });
    }
    const after: IamPolicy = {
      version: updateMask.includes('version') ? version : before.version,
      bindings: updateMask.includes('bindings') ? bindings(policy) : before.bindings,
      etag: this.nextEtag(before.etag),
    };
    await this.ports.store.putValue(keyOf(resource), JSON.stringify(after));
    return after;
  }

  /** A queue that is made later under the same name must not inherit it. */
  forget(queue: string): Promise<void> {
    return this.ports.store.putValue(keyOf(queue), undefined);
  }

  /** Never one that there was before, also when the clock was set back. */
  private nextEtag(etag: string): string {
    const before = Number(atob(etag)) || 0;
    return btoa(String(Math.max(before + 1, this.ports.clock.now())));
  }
}

function keyOf(queue: string): string {
  return `iam ${queue}`;
}

/** As Google keeps them: one with nobody in it goes. */
function bindings({ bindings: given = [] }: Partial<IamPolicy>): IamBinding[] {
  for (const [index, { role }] of given.entries()) {
    if (!role) {
      throw refusal('POLICY_ROLE', { field: `policy.bindings[${index}].role` });
    }
  }
  return given.filter(({ members }) => members.length > 0);
}

/** Here everybody may do everything, and a queue that isn't there gives no permissions. */
export function heldPermissions(permissions: readonly string[], exists: boolean): string[] {
  for (const permission of permissions) {
    if (permission.includes('*')) {
      throw refusal('PERMISSION_WILDCARD', { permission, field: 'permissions' });
    }
  }
  return exists ? [...permissions] : [];
}

/** IAM policies of queues, as the API has them. */

/** An expression that a binding depends on: google.type.Expr. */
export interface IamCondition {
  expression: string;
  title: string;
  description: string;
  location: string;
}

export interface IamBinding {
  /** For example `roles/cloudtasks.enqueuer`. */
  role: string;
  members: string[];
  condition?: IamCondition;
}

export interface IamPolicy {
  /** 0, 1 or 3. */
  version: number;
  bindings: IamBinding[];
  /** Base64. Sent back with a change, it is refused if somebody else's change came between. */
  etag: string;
}

export interface SetIamPolicyRequest {
  /** The queue's full name. */
  resource: string;
  policy: Partial<IamPolicy>;
  /** Of `bindings`, `version` and `etag`; what it doesn't name stays. Default: all. */
  updateMask?: string[];
}

export interface IamApi {
  /** Empty for a queue without one. */
  getIamPolicy(request: { resource: string }): Promise<IamPolicy>;
  setIamPolicy(request: SetIamPolicyRequest): Promise<IamPolicy>;
  /** Those of the permissions that the caller has; none on a queue that doesn't exist. */
  testIamPermissions(request: {
    resource: string;
    permissions: string[];
  }): Promise<{ permissions: string[] }>;
}

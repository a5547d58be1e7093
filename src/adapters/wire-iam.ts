/** IAM policies on the wire. */
import type { google } from '@google-cloud/tasks/build/protos';
import type { IamBinding, IamCondition, IamPolicy } from '../engine/iam-api.js';
import { fromNumber, present } from './wire.js';

type WirePolicy = google.iam.v1.IPolicy;

export function policyToWire(policy: Partial<IamPolicy>): WirePolicy {
  const { version = 0, bindings = [], etag = '' } = policy;
  return { version, bindings, etag: Buffer.from(etag, 'base64') };
}

/** As a caller gave it. */
export function policyInputFromWire(wire: WirePolicy): Partial<IamPolicy> {
  return present<Partial<IamPolicy>>({
    version: fromNumber(wire.version),
    bindings: (wire.bindings ?? []).map(bindingFromWire),
    etag: wire.etag?.length ? base64(wire.etag) : undefined,
  });
}

/** As a server answered it. */
export function policyFromWire(wire: WirePolicy): IamPolicy {
  return { version: 0, bindings: [], etag: '', ...policyInputFromWire(wire) };
}

function bindingFromWire(wire: google.iam.v1.IBinding): IamBinding {
  return present<IamBinding>({
    role: wire.role ?? '',
    members: wire.members ?? [],
    condition: wire.condition ? conditionFromWire(wire.condition) : undefined,
  });
}

function conditionFromWire(wire: google.type.IExpr): IamCondition {
  const { expression, title, description, location } = wire;
  return {
    expression: expression ?? '',
    title: title ?? '',
    description: description ?? '',
    location: location ?? '',
  };
}

/** A string is base64 already, as in proto3's JSON. */
function base64(bytes: Uint8Array | string): string {
  return typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('base64');
}

/** Cloud Tasks' own protos with their annotations, as the package of Google's client has them. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { INamespace } from 'protobufjs';
import protobuf from 'protobufjs';

/** The compiled protos that gRPC uses have no annotations left; this file beside them has. */
export async function loadProtos(): Promise<protobuf.Root> {
  const compiled = createRequire(import.meta.url).resolve('@google-cloud/tasks/build/protos');
  const text = await readFile(join(dirname(compiled), 'protos.json'), 'utf8');
  const root = protobuf.Root.fromJSON(JSON.parse(text) as INamespace);
  // v2's REST has it, v2's published proto not yet; its number is the one that v2beta3 gives it.
  const httpTarget = new protobuf.Field('httpTarget', 13, 'google.cloud.tasks.v2beta3.HttpTarget');
  root.lookupType('google.cloud.tasks.v2.Queue').add(httpTarget);
  root.resolveAll();
  return root;
}

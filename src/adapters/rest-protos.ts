/** The APIs' own protos with their annotations, as the packages of Google's clients have them. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { INamespace } from 'protobufjs';
import protobuf from 'protobufjs';

/** Of Cloud Tasks. */
export async function loadProtos(): Promise<protobuf.Root> {
  const root = await annotated('@google-cloud/tasks/build/protos');
  // v2's REST has it, v2's published proto not yet; its number is the one that v2beta3 gives it.
  const httpTarget = new protobuf.Field('httpTarget', 13, 'google.cloud.tasks.v2beta3.HttpTarget');
  root.lookupType('google.cloud.tasks.v2.Queue').add(httpTarget);
  root.resolveAll();
  return root;
}

/** Of Cloud Scheduler. */
export async function loadSchedulerProtos(): Promise<protobuf.Root> {
  const root = await annotated('@google-cloud/scheduler/build/protos/protos.js');
  // gcloud says with each of these that it doesn't mean the jobs which App Engine made of a cron.yaml.
  for (const request of ['ListJobsRequest', 'DeleteJobRequest', 'RunJobRequest']) {
    const legacy = new protobuf.Field('legacyAppEngineCron', LEGACY_FIELD, 'bool');
    root.lookupType(`google.cloud.scheduler.v1.${request}`).add(legacy);
  }
  root.resolveAll();
  return root;
}

/** Its number is Google's secret, so it is one that no other field has. */
const LEGACY_FIELD = 1_000;

/** The compiled protos that gRPC uses have no annotations left; the file beside them has. */
async function annotated(module: string): Promise<protobuf.Root> {
  const compiled = createRequire(import.meta.url).resolve(module);
  const text = await readFile(join(dirname(compiled), 'protos.json'), 'utf8');
  return protobuf.Root.fromJSON(JSON.parse(text) as INamespace);
}

/** Reads where bodies go that are too large for a task: a folder, or a bucket of Cloud Storage. */
import type { Environment } from './environment.js';

export type PayloadStoreSetting =
  { readonly folder: string } | { readonly bucket: string; readonly prefix?: string };

const EXPECTED = "a folder such as './.data/payloads' or a bucket such as 'gs://my-payloads'";
const BUCKET = /^gs:\/\/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:\/([\w.-]+(?:\/[\w.-]+)*))?\/?$/;
/** One that shows that it is a path, so that nobody's slip makes a folder. */
const FOLDER = /^(?:\.{0,2}[/\\]|[A-Za-z]:[/\\])/;

/** @param shared whether a file of this machine would vanish, or not be seen by other instances */
export function readPayloadStore(
  env: Environment,
  shared: boolean,
): PayloadStoreSetting | undefined {
  const text = env.text('PAYLOAD_STORE');
  if (text === undefined) return undefined;
  const [, bucket, prefix] = BUCKET.exec(text) ?? [];
  if (bucket !== undefined) return { bucket, ...(prefix === undefined ? {} : { prefix }) };
  if (!FOLDER.test(text)) env.refuse('PAYLOAD_STORE', EXPECTED);
  if (shared) {
    env.refuse('PAYLOAD_STORE', "a bucket such as 'gs://my-payloads', which all instances share");
  }
  return { folder: text };
}

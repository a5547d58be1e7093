/** Where payloads go that are too large for a task, how large they may be, how long they are kept. */
import type { DurationText } from '../../foundation/duration.js';
import { parseDuration } from '../../foundation/duration.js';
import { invalidArgument } from '../../engine/errors.js';
import type { Duration } from '../../engine/time.js';
import { DAY } from '../../engine/time.js';
import type { PayloadPlace } from '../../host/open-payload-store.js';
import { printable } from '../../foundation/printable.js';

/** Injects `PayloadSettings`, or undefined where no store is configured. */
export const PAYLOAD_SETTINGS = Symbol('PAYLOAD_SETTINGS');

export type PayloadStoreOptions = FolderOptions | BucketOptions;

interface FolderOptions extends KeepingOptions {
  /** A folder that all processes of the app see; made when it is missing. */
  readonly folder: string;
}

interface BucketOptions extends KeepingOptions {
  /** A bucket of Google Cloud Storage; needs `npm install @google-cloud/storage`. */
  readonly bucket: string;
  /** Begins the names of all objects, before a slash. Default `task-payloads`. */
  readonly prefix?: string | undefined;
  /** A server that speaks Cloud Storage's JSON API, in place of Google's; without credentials. */
  readonly apiEndpoint?: string | undefined;
}

interface KeepingOptions {
  /** The largest payload, in bytes. Default 32 MiB. */
  readonly maxBytes?: number | undefined;
  /**
   * How long a payload is kept after its task was made, `1d` at least. Default `35d`: a task lives
   * 31 days at most, and one that is parked or tried later keeps a copy of its own.
   */
  readonly keep?: DurationText | undefined;
}

export interface PayloadSettings {
  readonly place: PayloadPlace;
  readonly maxBytes: number;
  readonly keep: Duration;
}

const DEFAULT_MOST = 32 * 1024 * 1024;
/** Nearly all that a string of node's can hold, when it is JSON. */
const MOST = 500 * 1024 * 1024;

const SHARED = ['maxBytes', 'keep'];
export const FOLDER_OPTIONS = ['folder', ...SHARED];
export const BUCKET_OPTIONS = ['bucket', 'prefix', 'apiEndpoint', ...SHARED];

/** @throws CloudTasksError INVALID_ARGUMENT naming the option */
export function readPayloadOptions(options: PayloadStoreOptions): PayloadSettings {
  const { maxBytes = DEFAULT_MOST, keep = '35d' } = options;
  if (!Number.isInteger(maxBytes) || maxBytes < 1 || maxBytes > MOST) {
    refuse('maxBytes', `1 to ${MOST}`, maxBytes);
  }
  const kept = parseDuration(keep, 'payloadStore.keep');
  if (kept < DAY) refuse('keep', "'1d' or more", keep);
  return { place: readPlace(options), maxBytes, keep: kept };
}

function readPlace(options: PayloadStoreOptions): PayloadPlace {
  if ('folder' in options) {
    const { folder } = options;
    if (typeof folder !== 'string' || folder === '') refuse('folder', 'a path', folder);
    return { folder };
  }
  const { bucket, prefix = 'task-payloads', apiEndpoint } = options;
  if (typeof bucket !== 'string' || !/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(bucket)) {
    refuse('bucket', "a bucket's name such as 'my-payloads'", bucket);
  }
  if (typeof prefix !== 'string' || !/^[\w.-]+(?:\/[\w.-]+)*$/.test(prefix)) {
    refuse('prefix', "a name such as 'task-payloads'", prefix);
  }
  if (apiEndpoint !== undefined && !/^https?:$/.test(URL.parse(apiEndpoint)?.protocol ?? '')) {
    refuse('apiEndpoint', 'an http(s) address', apiEndpoint);
  }
  return { bucket, prefix, apiEndpoint };
}

function refuse(option: string, expected: string, came: unknown): never {
  const shown = typeof came === 'string' ? `'${printable(came)}'` : String(came);
  const field = `payloadStore.${option}`;
  throw invalidArgument(`TasksModule: ${field}: expected ${expected}, got ${shown}.`, field);
}

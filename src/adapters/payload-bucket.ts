/** Keeps payloads in a bucket of Google Cloud Storage, by Google's client. */
import type { Bucket, File } from '@google-cloud/storage';
import type { Readable } from 'node:stream';
import type { ErrorCode } from '../engine/errors.js';
import { CloudTasksError } from '../engine/errors.js';
import type { PayloadStore } from '../foundation/payload-store.js';

export interface BucketPlace {
  readonly bucket: string;
  /** Of the names of all its objects, before a slash. */
  readonly prefix: string;
  /** A server that speaks Cloud Storage's JSON API, to use without credentials in place of Google's. */
  readonly apiEndpoint?: string | undefined;
}

const RETRIES = 3;
/** In seconds, retries included: well within the shortest deadline of an attempt. */
const MOST_WAIT = 10;
/** Objects that are removed at once. */
const AT_ONCE = 20;

/** @throws CloudTasksError FAILED_PRECONDITION where Google's client is not installed */
export async function openPayloadBucket(place: BucketPlace): Promise<PayloadStore> {
  const { apiEndpoint } = place;
  const { Storage } = await loadClient();
  const storage = new Storage({
    ...(apiEndpoint === undefined ? {} : { apiEndpoint }),
    retryOptions: { maxRetries: RETRIES, totalTimeout: MOST_WAIT },
  });
  return new PayloadBucket(storage.bucket(place.bucket), place.prefix);
}

async function loadClient() {
  try {
    return await import('@google-cloud/storage');
  } catch (cause) {
    throw new CloudTasksError(
      'FAILED_PRECONDITION',
      "payloadStore.bucket needs Google's client: npm install @google-cloud/storage",
      { field: 'payloadStore.bucket', cause },
    );
  }
}

class PayloadBucket implements PayloadStore {
  constructor(
    private readonly bucket: Bucket,
    private readonly prefix: string,
  ) {}

  async put(key: string, bytes: Uint8Array): Promise<void> {
    try {
      await this.object(key).save(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), {
        contentType: 'application/octet-stream',
        // One request; the other way is made for uploads that are resumed.
        resumable: false,
        // Makes a retry harmless, so that the client retries.
        preconditionOpts: { ifGenerationMatch: 0 },
      });
    } catch (error) {
      // The object is there: by an earlier try whose answer was lost.
      if (statusOf(error) !== 412) throw this.failure('write', error);
    }
  }

  async get(key: string, limit: number): Promise<Uint8Array | undefined> {
    const chunks: Uint8Array[] = [];
    let left = limit;
    try {
      // Whoever asked knows the payload's SHA-256.
      const stream = this.object(key).createReadStream({ validation: false, decompress: false });
      // Google's client pipes the answer into two streams, and one listener more than Node's default
      // would have Node warn of a leak: https://github.com/googleapis/google-cloud-node/issues/9185
      stream.once('response', (answer: Readable) => answer.setMaxListeners(20));
      for await (const chunk of stream as AsyncIterable<Uint8Array>) {
        chunks.push(chunk.subarray(0, left));
        left -= chunk.length;
        if (left <= 0) break;
      }
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw this.failure('read', error);
    }
    return Buffer.concat(chunks);
  }

  async copy(from: string, to: string): Promise<boolean> {
    try {
      await this.object(from).copy(this.object(to), {
        preconditionOpts: { ifGenerationMatch: 0 },
      });
      return true;
    } catch (error) {
      if (statusOf(error) === 404) return false;
      if (statusOf(error) === 412) return true;
      throw this.failure('copy', error);
    }
  }

  async removeBefore(day: string): Promise<number> {
    let count = 0;
    let pageToken: string | undefined;
    try {
      do {
        const [files, next] = await this.bucket.getFiles({
          prefix: `${this.prefix}/`,
          // Names are in the order of their days.
          endOffset: `${this.prefix}/${day}`,
          autoPaginate: false,
          ...(pageToken === undefined ? {} : { pageToken }),
        });
        for (let first = 0; first < files.length; first += AT_ONCE) {
          await Promise.all(files.slice(first, first + AT_ONCE).map(remove));
        }
        count += files.length;
        pageToken = (next as { pageToken?: string } | null)?.pageToken;
      } while (pageToken !== undefined);
      return count;
    } catch (error) {
      throw this.failure('clear', error);
    }
  }

  private object(key: string): File {
    return this.bucket.file(`${this.prefix}/${key}`);
  }

  private failure(verb: string, cause: unknown): CloudTasksError {
    const status = statusOf(cause);
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new CloudTasksError(
      codeFor(status),
      `Can't ${verb} a payload in gs://${this.bucket.name}/${this.prefix}: ${status ?? ''} ${reason}`,
      { cause },
    );
  }
}

async function remove(file: File): Promise<void> {
  // Another process may be at it too.
  await file.delete({ ignoreNotFound: true });
}

function statusOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'number' ? code : undefined;
}

function codeFor(status: number | undefined): ErrorCode {
  if (status === 401) return 'UNAUTHENTICATED';
  if (status === 403) return 'PERMISSION_DENIED';
  if (status === 404) return 'NOT_FOUND';
  if (status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429) {
    return 'FAILED_PRECONDITION';
  }
  return 'UNAVAILABLE';
}

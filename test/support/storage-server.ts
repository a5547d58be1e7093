/** The part of Cloud Storage's JSON API that payloads need, on loopback, over real HTTP. */
import { CRC32C } from '@google-cloud/storage';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Small, so that a test of pages needs few objects. */
const PAGE = 7;

export class StorageServer {
  /** By the object's name. */
  readonly objects = new Map<string, Buffer>();
  /** Answered in place of what the next requests ask for. */
  readonly failures: number[] = [];
  readonly requests: string[] = [];

  private readonly server = createServer((request, response) => {
    void this.answer(request, response);
  });

  private constructor(readonly bucket: string) {}

  static async listen(bucket: string): Promise<StorageServer> {
    const storage = new StorageServer(bucket);
    storage.server.listen(0, '127.0.0.1');
    await once(storage.server, 'listening');
    return storage;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const url = new URL(request.url ?? '', 'http://storage');
    this.requests.push(`${request.method ?? ''} ${url.pathname}`);
    const failure = this.failures.shift();
    if (failure !== undefined) {
      refuse(response, failure, 'told to fail');
      return;
    }
    const bucket = /\/b\/([^/]+)\/o/.exec(url.pathname)?.[1];
    if (bucket !== this.bucket) {
      refuse(response, 404, 'The specified bucket does not exist.');
      return;
    }
    const [, , encoded, rewritten] =
      /\/b\/([^/]+)\/o(?:\/([^/]+)(?:\/rewriteTo\/b\/[^/]+\/o\/([^/]+))?)?$/.exec(url.pathname) ??
      [];
    const name = encoded === undefined ? undefined : decodeURIComponent(encoded);
    if (url.pathname.startsWith('/upload/')) {
      const created = url.searchParams.get('name') ?? '';
      this.create(response, url, created, partsOf(request, body));
      return;
    }
    if (name === undefined) {
      this.list(response, url.searchParams);
      return;
    }
    const bytes = this.objects.get(name);
    if (!bytes) {
      refuse(response, 404, `No such object: ${this.bucket}/${name}`);
      return;
    }
    if (rewritten !== undefined) {
      this.create(response, url, decodeURIComponent(rewritten), bytes, true);
      return;
    }
    if (request.method === 'DELETE') {
      this.objects.delete(name);
      response.writeHead(204).end();
    } else if (url.searchParams.get('alt') === 'media') {
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(bytes);
    } else {
      json(response, this.resource(name, bytes));
    }
  }

  private create(
    response: ServerResponse,
    url: URL,
    name: string,
    bytes: Buffer,
    rewritten = false,
  ): void {
    if (url.searchParams.get('ifGenerationMatch') === '0' && this.objects.has(name)) {
      refuse(response, 412, 'At least one of the pre-conditions you specified did not hold.');
      return;
    }
    this.objects.set(name, Buffer.from(bytes));
    const resource = this.resource(name, bytes);
    json(
      response,
      rewritten ? { kind: 'storage#rewriteResponse', done: true, resource } : resource,
    );
  }

  private list(response: ServerResponse, query: URLSearchParams): void {
    const [prefix = '', end, from = ''] = ['prefix', 'endOffset', 'pageToken'].map(
      (key) => query.get(key) ?? undefined,
    );
    const names = [...this.objects.keys()]
      .sort()
      .filter((name) => name.startsWith(prefix) && name > from)
      .filter((name) => end === undefined || name < end);
    const items = names.slice(0, PAGE).map((name) => ({ kind: 'storage#object', name }));
    const more = names.length > PAGE ? { nextPageToken: names[PAGE - 1] } : {};
    json(response, { kind: 'storage#objects', items, ...more });
  }

  private resource(name: string, bytes: Buffer): object {
    const crc32c = new CRC32C();
    crc32c.update(bytes);
    return {
      kind: 'storage#object',
      ...{ name, bucket: this.bucket, generation: '1', metageneration: '1' },
      size: String(bytes.length),
      crc32c: crc32c.toString(),
      md5Hash: createHash('md5').update(bytes).digest('base64'),
    };
  }
}

/** The second part of `multipart/related`: the first is the object's metadata. */
function partsOf({ headers }: IncomingMessage, body: Buffer): Buffer {
  const boundary = /boundary=['"]?([^'";]+)/.exec(headers['content-type'] ?? '')?.[1] ?? '';
  const mark = Buffer.from(`--${boundary}`);
  const second = body.indexOf(mark, mark.length);
  const start = body.indexOf('\r\n\r\n', second) + 4;
  const end = body.lastIndexOf(Buffer.concat([Buffer.from('\r\n'), mark]));
  return body.subarray(start, end);
}

function json(response: ServerResponse, value: object): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function refuse(response: ServerResponse, code: number, message: string): void {
  const error = { code, message, errors: [{ message, domain: 'global', reason: 'test' }] };
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
}

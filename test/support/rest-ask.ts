/** One HTTP request, byte for byte as a test wants it: fetch would forbid some headers. */
import { request } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text goes as it is, anything else as JSON. */
  readonly body?: unknown;
}

export interface Answer {
  readonly status: number;
  readonly type: string | undefined;
  readonly text: string;
  readonly json: unknown;
}

export function restAsk(base: string, path: string, ask: Ask = {}): Promise<Answer> {
  const { body } = ask;
  const sent = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const method = ask.method ?? (sent === undefined ? 'GET' : 'POST');
  const type =
    sent === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(sent) };
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const headers = { ...type, ...ask.headers };
    const asked = request({ hostname, port, path, method, headers, agent: false }, (response) => {
      text(response).then((answered) => {
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'],
          text: answered,
          json: answered ? JSON.parse(answered) : undefined,
        });
      }, reject);
    });
    asked.on('error', reject).end(sent);
  });
}

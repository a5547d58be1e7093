/** The load generator, autocannon, with its own ceiling measured first. */
import autocannon from 'autocannon';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Load {
  readonly url: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of one request after the other; the connections begin at different ones. */
  readonly headersInTurn?: readonly Readonly<Record<string, string>>[];
  readonly seconds: number;
  readonly connections: number;
}

/** Successful requests a second; any other answer ends the benchmark. */
export async function requestsPerSecond({
  url,
  body,
  headers,
  headersInTurn,
  ...load
}: Load): Promise<number> {
  const common = { 'content-type': 'application/json', ...headers };
  const result = await autocannon({
    url,
    method: 'POST',
    body,
    headers: common,
    ...(headersInTurn ? { setupClient: turns(headersInTurn, common, load.connections) } : {}),
    connections: load.connections,
    duration: load.seconds,
  });
  const failed = result.non2xx + result.errors;
  if (failed > 0) throw new Error(`${failed} of the requests to ${url} failed.`);
  return result['2xx'] / result.duration;
}

function turns(
  all: readonly Readonly<Record<string, string>>[],
  common: Readonly<Record<string, string>>,
  connections: number,
): (client: autocannon.Client) => void {
  const requests = all.map((own) => ({ headers: { ...common, ...own } }));
  let next = 0;
  return (client) => {
    const first = Math.floor((requests.length * next++) / connections) % requests.length;
    client.setRequests([...requests.slice(first), ...requests.slice(0, first)]);
  };
}

/** What the generator reaches against a server that does nothing, in a process of its own. */
export async function ceiling(load: Omit<Load, 'url' | 'body'>): Promise<number> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end('{}'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const reached = await requestsPerSecond({ ...load, url, body: '{}' });
  server.closeAllConnections();
  server.close();
  return reached;
}

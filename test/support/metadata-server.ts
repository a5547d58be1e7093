/** Google's metadata server on loopback: while it is there, this process has its credentials from it alone. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { METADATA_VARIABLES } from './google-server.js';
import { Loopback } from './loopback.js';
import { encode } from './test-issuer.js';

export class MetadataServer {
  private readonly loopback = new Loopback();
  private readonly before = { ...process.env };
  /** Without credentials of whoever runs the tests. */
  private readonly home = mkdtempSync(join(tmpdir(), 'no-credentials-'));

  /** @param identity called when an ID token is asked for */
  static async start(
    identity: (audience: string, response: ServerResponse) => void,
  ): Promise<MetadataServer> {
    const server = new MetadataServer();
    const url = await server.loopback.http((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://metadata');
      response.setHeader('Metadata-Flavor', 'Google');
      if (pathname.endsWith('/identity')) identity(searchParams.get('audience') ?? '', response);
      else response.end('demo');
    });
    Object.assign(process.env, METADATA_VARIABLES(url), {
      GOOGLE_CLOUD_PROJECT: 'demo',
      HOME: server.home,
      CLOUDSDK_CONFIG: server.home,
    });
    delete process.env['GOOGLE_APPLICATION_CREDENTIALS'];
    return server;
  }

  async close(): Promise<void> {
    await this.loopback.close();
    process.env = { ...this.before };
    rmSync(this.home, { recursive: true });
  }
}

/** @param life in seconds */
export function tokenOf(claims: object, life = 3600): string {
  const exp = Math.floor(Date.now() / 1000) + life;
  return [encode({ alg: 'RS256' }), encode({ ...claims, exp }), 'x'].join('.');
}

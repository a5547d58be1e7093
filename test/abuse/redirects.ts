/**
 * Answers that lead elsewhere: every status, to the same origin and to others, with and without a
 * body and credentials. None is followed; each is a result; nothing but the first origin hears of it.
 */
import { MINUTE } from '../../src/engine/time.js';
import { SystemClock } from '../../src/host/system-clock.js';
import type { OutboundMethod } from '../../src/outbound/outbound-client.js';
import { OutboundClient } from '../../src/outbound/outbound-client.js';
import { OutboundPolicy } from '../../src/outbound/outbound-policy.js';
import { Chance } from '../support/chance.js';
import { RawUpstream } from '../support/raw-upstream.js';

export const size = 500;

const STATUSES = [300, 301, 302, 303, 304, 305, 306, 307, 308, 399];
const METHODS: OutboundMethod[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

export async function run(count: number, seed: number): Promise<string> {
  const elsewhere = await RawUpstream.listen();
  let answer = '';
  const upstream = await RawUpstream.listen(() => answer);
  const origin = `http://127.0.0.1:${upstream.port}`;
  const rules = [
    { origin, audience: 'https://aud.example' },
    { origin: `http://127.0.0.1:${elsewhere.port}` },
  ];
  const policy = new OutboundPolicy({ rules, loopback: 'by-rule' });
  const client = new OutboundClient(policy, new SystemClock());
  const locations = [
    ...[`http://127.0.0.1:${elsewhere.port}/`, `//127.0.0.1:${elsewhere.port}/`, '/self', '?loop'],
    ...[`http://localhost:${elsewhere.port}/`, `http://[::ffff:127.0.0.1]:${elsewhere.port}/`],
    ...[
      'http://169.254.169.254/computeMetadata/v1/',
      'http://metadata.google.internal/',
      `${origin}/`,
    ],
    ...[
      'https://127.0.0.1/',
      'file:///etc/passwd',
      'javascript:alert(1)',
      '',
      'http://',
      '\\\\x\\y',
    ],
  ];
  try {
    for (let index = 0; index < count; index++) {
      const chance = new Chance(seed + index * 7919);
      const status = STATUSES[index % STATUSES.length] ?? 302;
      const method = chance.pick(METHODS);
      const hasBody = !['GET', 'HEAD', 'OPTIONS'].includes(method) && chance.is(0.7);
      const location = chance.pick(locations);
      const refresh = chance.is(0.3) ? `Refresh: 0; url=${location}\r\n` : '';
      const twice = chance.is(0.1) ? `Location: ${chance.pick(locations)}\r\n` : '';
      answer = `HTTP/1.1 ${status} X\r\nLocation: ${location}\r\n${twice}${refresh}Content-Length: 0\r\n\r\n`;
      const before = upstream.heads.length;
      const response = await client.call(policy.permit(`${origin}/start`), {
        method,
        headers: { 'X-Api-Key': 'k' },
        ...(chance.is(0.5) ? { idToken: 'a.b.c' } : {}),
        ...(hasBody ? { body: 'payload' } : {}),
        deadline: MINUTE,
      });
      await response.body.toArray();
      const what = `case ${index}: ${status} to ${location}`;
      if (response.status !== status) throw new Error(`${what} became ${response.status}`);
      if (upstream.heads.length !== before + 1) throw new Error(`${what} was called again`);
      if (elsewhere.connections > 0) throw new Error(`${what} was followed`);
    }
    return `${count} redirects: each a result, 0 followed`;
  } finally {
    await client.close();
    await upstream.close();
    await elsewhere.close();
  }
}

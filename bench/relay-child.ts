/** The process that `relay.ts` measures: the relay, and beside it a proxy that is undici and nothing else. */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { Pool } from 'undici';
import { RelayModule, TasksModule } from '../src/index.js';

const AUDIENCE = 'https://app.example.com';
const ACCOUNT = 'tasks@my-project.iam.gserviceaccount.com';
const target = process.env['TARGET'] ?? '';

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'RS256', use: 'sig' };
const issuer = await listen((request, response) => {
  const isDiscovery = request.url === '/.well-known/openid-configuration';
  const document = isDiscovery ? { issuer, jwks_uri: `${issuer}/keys` } : { keys: [jwk] };
  response.end(JSON.stringify(document));
});

const pool = new Pool(target, { connections: 512 });
const proxy = await listen((request, response) => {
  void pool
    .request({
      method: 'POST',
      path: '/',
      headers: { 'content-type': 'text/plain' },
      body: request,
    })
    .then((answer) => {
      response.writeHead(answer.statusCode);
      pipeline(answer.body, response, () => undefined);
    });
});

@Module({
  imports: [
    TasksModule.forRoot({
      // Nobody asks it: tasks come from the benchmark alone.
      backend: 'google',
      emulatorHost: '127.0.0.1:9',
      project: 'local',
      serviceUrl: AUDIENCE,
      serviceAccount: ACCOUNT,
      auth: { mode: 'oidc', issuer, audience: AUDIENCE },
      store: 'memory:',
    }),
    RelayModule.forRoot({
      rules: [{ origin: target, concurrency: 1800 }],
      loopback: 'by-rule',
      maxInflight: 2000,
    }),
  ],
})
class RelayApp {}

const app = await NestFactory.create(RelayApp, { logger: false });
await app.listen(0, '127.0.0.1');

process.on('message', () => {
  globalThis.gc?.();
  process.send?.({ heapUsed: process.memoryUsage().heapUsed });
});
process.send?.({ relay: await app.getUrl(), proxy, token: signedToken() });

function signedToken(): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, aud: AUDIENCE, email: ACCOUNT, email_verified: true, sub: '1' };
  const head = encode({ alg: 'RS256', kid: 'bench', typ: 'JWT' });
  const text = `${head}.${encode({ ...claims, iat: now, exp: now + 3600 })}`;
  return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`;
}

/** The process that `guard.ts` measures: one handler without a guard, with ours, and with Google's library. */
import 'reflect-metadata';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Body, Controller, HttpCode, Injectable, Module, Post, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { OAuth2Client } from 'google-auth-library';
import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TaskGuard, TasksModule } from '../src/index.js';

const AUDIENCE = 'https://app.example.com';
const ACCOUNT = 'tasks@my-project.iam.gserviceaccount.com';
/** More than are remembered, so that each has to be verified when it comes round again. */
const TOKENS = 2_000;

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'RS256', use: 'sig' };

const server = createServer((request, response) => {
  const isDiscovery = request.url === '/.well-known/openid-configuration';
  const document = isDiscovery ? { issuer, jwks_uri: `${issuer}/keys` } : { keys: [jwk] };
  response.end(JSON.stringify(document));
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** As Google's own function for it has cached them. */
const certificates = {
  bench: createPublicKey(publicKey.export({ type: 'spki', format: 'pem' }))
    .export({ type: 'spki', format: 'pem' })
    .toString(),
};
const google = new OAuth2Client();

@Injectable()
class GoogleGuard implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { authorization = '' } = context.switchToHttp().getRequest<IncomingMessage>().headers;
    const ticket = await google.verifySignedJwtWithCertsAsync(
      authorization.replace(/^Bearer /, ''),
      certificates,
      AUDIENCE,
      [issuer],
    );
    // What the library leaves to its user, and what proves who calls.
    const { email, email_verified: verified } = ticket.getPayload() ?? {};
    return verified === true && email === ACCOUNT;
  }
}

@Controller()
class Handlers {
  @Post('unguarded')
  @HttpCode(200)
  unguarded(@Body() body: object): object {
    return body;
  }

  @Post('guarded')
  @HttpCode(200)
  @UseGuards(TaskGuard)
  guarded(@Body() body: object): object {
    return body;
  }

  @Post('google')
  @HttpCode(200)
  @UseGuards(GoogleGuard)
  google(@Body() body: object): object {
    return body;
  }
}

@Module({
  imports: [
    TasksModule.forRoot({
      backend: 'google',
      project: 'bench',
      // Nobody asks it for anything.
      emulatorHost: '127.0.0.1:9',
      serviceUrl: AUDIENCE,
      serviceAccount: ACCOUNT,
      auth: { mode: 'oidc', issuer, audience: AUDIENCE, accounts: [ACCOUNT] },
    }),
  ],
  controllers: [Handlers],
})
class BenchModule {}

const app = await NestFactory.create(BenchModule, { logger: false });
await app.listen(0, '127.0.0.1');
process.send?.({ url: await app.getUrl(), tokens: Array.from({ length: TOKENS }, token) });

/** As Google makes them, apart from `jti`, by which each is another. */
function token(_: unknown, index: number): string {
  const iat = Math.floor(Date.now() / 1000);
  const claims = {
    ...{ iss: issuer, aud: AUDIENCE, azp: '1234', sub: '1234', email: ACCOUNT },
    ...{ email_verified: true, iat, exp: iat + 3600, jti: String(index) },
  };
  const text = [{ alg: 'RS256', kid: 'bench', typ: 'JWT' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`;
}

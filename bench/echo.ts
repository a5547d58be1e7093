/** A bare Nest app with one POST route that answers what it got: the baseline and the handler. */
import 'reflect-metadata';
import { Body, Controller, HttpCode, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

@Controller()
class Echo {
  @Post('echo')
  @HttpCode(200)
  echo(@Body() body: object): object {
    return body;
  }
}

@Module({ controllers: [Echo] })
class EchoModule {}

/** Listens on a free port of loopback; resolves to the route's address. */
export async function startEcho(): Promise<string> {
  const app = await NestFactory.create(EchoModule, { logger: false });
  await app.listen(0, '127.0.0.1');
  return `${await app.getUrl()}/echo`;
}

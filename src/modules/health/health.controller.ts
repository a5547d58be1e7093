/** Answers whether the process lives, and whether it should be sent work. */
import { Controller, Get, Header, ServiceUnavailableException } from '@nestjs/common';
import { Readiness } from './readiness.js';

@Controller()
export class HealthController {
  constructor(private readonly readiness: Readiness) {}

  @Get('healthz')
  @Header('Cache-Control', 'no-store')
  live(): object {
    return { status: 'ok' };
  }

  @Get('readyz')
  @Header('Cache-Control', 'no-store')
  async ready(): Promise<object> {
    const obstacle = await this.readiness.obstacle();
    if (obstacle !== undefined) throw new ServiceUnavailableException(obstacle);
    return { status: 'ready' };
  }
}

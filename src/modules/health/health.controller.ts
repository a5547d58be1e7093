/** Answers whether the process lives, and whether it should be sent work. */
import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';
import { Readiness } from './readiness.js';

@Controller()
export class HealthController {
  constructor(private readonly readiness: Readiness) {}

  @Get('healthz')
  live(): object {
    return { status: 'ok' };
  }

  @Get('readyz')
  async ready(): Promise<object> {
    const obstacle = await this.readiness.obstacle();
    if (obstacle !== undefined) throw new ServiceUnavailableException(obstacle);
    return { status: 'ready' };
  }
}

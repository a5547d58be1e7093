/** Takes the ticks of schedules: each makes a task. */
import { Controller, Get, Headers, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import type { Tick } from './schedules.js';
import { Schedules } from './schedules.js';
import { TickGuard } from './tick-guard.js';

@Controller('_cron')
@UseGuards(TickGuard)
export class TickController {
  constructor(private readonly schedules: Schedules) {}

  /** Cloud Scheduler, or the engine. */
  @Post(':name')
  @HttpCode(202)
  tick(
    @Param('name') name: string,
    @Headers('x-cloudscheduler-scheduletime') time?: string,
  ): Promise<Tick> {
    return this.schedules.tick(name, time);
  }

  /** App Engine's cron.yaml. */
  @Get(':name')
  @HttpCode(202)
  tickOfAppEngine(@Param('name') name: string): Promise<Tick> {
    return this.schedules.tick(name);
  }
}

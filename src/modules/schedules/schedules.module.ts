/** The module that gives handlers their ticks: import it beside `TasksModule`. */
import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { SCHEDULES } from '../tasks/routes/schedule-marks.js';
import { Schedules } from './schedules.js';
import { TickController } from './tick.controller.js';

@Module({
  imports: [DiscoveryModule],
  controllers: [TickController],
  providers: [Schedules, { provide: SCHEDULES, useExisting: Schedules }],
})
export class SchedulesModule {}

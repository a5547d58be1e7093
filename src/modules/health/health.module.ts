/** Mounts what tells about the app itself. */
import { Module } from '@nestjs/common';
import { HealthController } from './health.controller.js';
import { HomeController } from './home.controller.js';
import { Readiness } from './readiness.js';

@Module({
  controllers: [HomeController, HealthController],
  providers: [Readiness],
  exports: [Readiness],
})
export class HealthModule {}

/** Mounts what tells about the app itself. */
import { Module } from '@nestjs/common';
import { AppEngineController } from './app-engine.controller.js';
import { HealthController } from './health.controller.js';
import { HomeController } from './home.controller.js';
import { Readiness } from './readiness.js';

@Module({
  controllers: [HomeController, HealthController, AppEngineController],
  providers: [Readiness],
  exports: [Readiness],
})
export class HealthModule {}

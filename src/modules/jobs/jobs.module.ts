/** The handlers that come with the app. */
import { Module } from '@nestjs/common';
import { EventDisplayController } from './event-display.controller.js';
import { ExampleController } from './example.controller.js';

@Module({ controllers: [ExampleController, EventDisplayController] })
export class JobsModule {}

/** The handler to try things with: it prints what it is sent. */
import { Header, HttpCode, Logger, Post, Req } from '@nestjs/common';
import type { Request } from 'express';
import { TaskController } from '../tasks/task-decorators.js';
import { readShownBody } from './shown-body.js';

@TaskController('tasks')
export class ExampleController {
  private readonly logger = new Logger('Example');

  @Post('example')
  @HttpCode(200)
  @Header('Content-Type', 'text/plain; charset=utf-8')
  async print(@Req() request: Request): Promise<string> {
    const { shown } = await readShownBody(request);
    const payload = shown || '(empty payload)';
    this.logger.log(`Received task with payload: ${payload}`);
    return `Printed task payload: ${payload}`;
  }
}

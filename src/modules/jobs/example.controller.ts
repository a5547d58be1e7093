/** The handler to try things with: it prints what it is sent. */
import { Header, HttpCode, Logger, Post, Req } from '@nestjs/common';
import type { Request } from 'express';
import { printable } from '../../printable.js';
import { readBytes } from '../../request-bytes.js';
import { TaskController } from '../tasks/task-decorators.js';

/** No task is larger. */
const MAX_BYTES = 1024 * 1024;
const MAX_SHOWN = 4096;

@TaskController('tasks')
export class ExampleController {
  private readonly logger = new Logger('Example');

  @Post('example')
  @HttpCode(200)
  @Header('Content-Type', 'text/plain; charset=utf-8')
  async print(@Req() request: Request): Promise<string> {
    const body = await readBytes(request, MAX_BYTES);
    const payload = printable(body.toString('utf8'), MAX_SHOWN) || '(empty payload)';
    this.logger.log(`Received task with payload: ${payload}`);
    return `Printed task payload: ${payload}`;
  }
}

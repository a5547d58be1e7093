/** The handler that shows an event of any type, and sends it back. */
import { Controller, HttpCode, Logger, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { Request, Response } from 'express';
import { TaskGuard } from '../auth/task-guard.js';
import { readShownBody } from './shown-body.js';

/** Types that no browser runs or draws; anything else goes back as plain bytes. */
const HARMLESS = /^(?:application\/json|text\/plain)(?:\s*;\s*charset="?[\w-]{1,40}"?)?$/i;

@Controller('event-display')
@UseGuards(TaskGuard)
export class EventDisplayController {
  private readonly logger = new Logger('EventDisplay');

  @Post()
  @HttpCode(200)
  async display(@Req() request: Request, @Res() response: Response): Promise<void> {
    const { bytes, shown } = await readShownBody(request);
    this.logger.log(`Event Display received event: ${shown}`);
    const type = request.headers['content-type'] ?? '';
    response
      .setHeader('Content-Type', HARMLESS.test(type) ? type : 'application/octet-stream')
      .setHeader('X-Content-Type-Options', 'nosniff')
      .end(bytes);
  }
}

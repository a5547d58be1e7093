/** The handler that shows an event of any type, and sends it back. */
import { Controller, HttpCode, Logger, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { Request, Response } from 'express';
import { printable } from '../../printable.js';
import { readBytes } from '../../request-bytes.js';
import { TaskGuard } from '../auth/task-guard.js';

/** No task is larger. */
const MAX_BYTES = 1024 * 1024;
/** Of an event in the log. */
const MAX_SHOWN = 4096;

/** Types that no browser runs or draws; anything else goes back as plain bytes. */
const HARMLESS = /^(?:application\/json|text\/plain)(?:\s*;\s*charset="?[\w-]{1,40}"?)?$/i;

@Controller('event-display')
@UseGuards(TaskGuard)
export class EventDisplayController {
  private readonly logger = new Logger('EventDisplay');

  @Post()
  @HttpCode(200)
  async display(@Req() request: Request, @Res() response: Response): Promise<void> {
    const body = await readBytes(request, MAX_BYTES);
    // Four bytes make a character at most.
    const text = body.subarray(0, MAX_SHOWN * 4).toString('utf8');
    this.logger.log(`Event Display received event: ${printable(text, MAX_SHOWN)}`);
    const type = request.headers['content-type'] ?? '';
    response
      .setHeader('Content-Type', HARMLESS.test(type) ? type : 'application/octet-stream')
      .setHeader('X-Content-Type-Options', 'nosniff')
      .end(body);
  }
}

/** Answers App Engine's own questions: an instance is ready once it listens, and nothing depends on being told to start or stop. */
import { Controller, Get } from '@nestjs/common';

@Controller('_ah')
export class AppEngineController {
  /** Basic and manual scaling ask the second; a stop may not be announced at all. */
  @Get(['warmup', 'start', 'stop'])
  answer(): object {
    return { status: 'ok' };
  }
}

/** Answers what has become of a task. */
import { Controller, Get, Param, Req, UseGuards } from '@nestjs/common';
import type { Request } from 'express';
import { invalidArgument } from '../../engine/errors.js';
import { QUEUE_ID, TASK_ID, taskName } from '../../engine/resource-name.js';
import { printable } from '../../foundation/printable.js';
import { QueueBackend } from '../cloud-tasks/queue-backend.js';
import type { TaskStatus } from '../tasks/attempts/task-statuses.js';
import { TaskStatuses } from '../tasks/attempts/task-statuses.js';
import { checkQueue } from './producer-caller.js';
import { ProducerGuard } from './producer-guard.js';

@Controller('task_status')
@UseGuards(ProducerGuard)
export class TaskStatusController {
  constructor(
    private readonly statuses: TaskStatuses,
    private readonly backend: QueueBackend,
  ) {}

  /** Times as RFC 3339; what isn't known is left out. */
  @Get(':queue/:id')
  status(
    @Req() request: Request,
    @Param('queue') queue: string,
    @Param('id') id: string,
  ): Promise<TaskStatus> {
    check('queue', queue, QUEUE_ID, 'a queue id of 1 to 100 letters, digits and hyphens');
    check('id', id, TASK_ID, 'an id of 1 to 500 letters, digits, hyphens and underscores');
    checkQueue(request, queue);
    return this.statuses.of(taskName(this.backend.queueName(queue), id));
  }
}

function check(field: string, came: string, pattern: RegExp, expected: string): void {
  if (pattern.test(came)) return;
  throw invalidArgument(`${field}: expected ${expected}, got '${printable(came)}'.`, field);
}

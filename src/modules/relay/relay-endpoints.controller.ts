/** What callers reach of the relay: ask for a call, see what became of it, cancel it. */
import {
  All,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Req,
  Res,
  UseGuards,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import type { CloudTasksApi } from '../../engine/cloud-tasks-api.js';
import { CloudTasksError, invalidArgument } from '../../engine/errors.js';
import type { Clock } from '../../engine/ports.js';
import { printable } from '../../foundation/printable.js';
import { CLOCK, CLOUD_TASKS } from '../cloud-tasks/queue-backend.js';
import { IdempotencyKeys } from '../journal/idempotency-keys.js';
import type { EnqueuedTask } from '../producer/enqueued-task.js';
import { inOurWords, shown } from '../producer/enqueued-task.js';
import { Fields } from '../producer/fields.js';
import { refuseMethod } from '../producer/post-only.js';
import { callerName, checkHandler, ownerOf } from '../producer/producer-caller.js';
import { ProducerGuard } from '../producer/producer-guard.js';
import { readJsonText } from '../producer/request-body.js';
import { OPTION_FIELDS, readOptionFields } from '../producer/task-fields.js';
import { Relay } from './relay.js';
import { RELAY_FIELDS } from './relay-call.js';
import { RELAY_ID } from './relay-records.js';
import type { RelayRecord } from './relay-status.js';
import { RelayStatuses } from './relay-status.js';

export interface EnqueuedRelay extends EnqueuedTask {
  /** By which `GET /relay/:id` finds the call. */
  readonly id: string;
}

@Controller()
@UseGuards(ProducerGuard)
export class RelayEndpointsController {
  constructor(
    private readonly relay: Relay,
    private readonly statuses: RelayStatuses,
    private readonly keys: IdempotencyKeys,
    @Inject(CLOUD_TASKS) private readonly api: CloudTasksApi,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Post('add_task_relay')
  @HttpCode(202)
  async add(@Req() request: Request): Promise<EnqueuedRelay> {
    const text = await readJsonText(request);
    const asked = { caller: callerName(request), content: `${request.path}\n${text}` };
    return this.keys.answer(request, asked, async (ownId) => {
      const fields = new Fields(text, [...RELAY_FIELDS, ...OPTION_FIELDS]);
      const options = readOptionFields(fields, this.clock.now());
      const check = (queue: string) => checkHandler(request, queue, '/relay', true);
      const by = { owner: ownerOf(request).name, ownId, check };
      try {
        const { id, task, queue } = await this.relay.create(fields, options, by);
        return { id, ...shown(task, queue) };
      } catch (error) {
        throw isOfOurs(error) ? error : inOurWords(error);
      }
    });
  }

  @All('add_task_relay')
  refuseMethod(@Req() request: Request, @Res({ passthrough: true }) response: Response): never {
    return refuseMethod(request, response);
  }

  @Get('relay/:id')
  async read(@Req() request: Request, @Param('id') id: string): Promise<RelayRecord> {
    await this.checkOwner(request, id);
    return this.statuses.of(id);
  }

  @Delete('relay/:id')
  async cancel(@Req() request: Request, @Param('id') id: string): Promise<RelayRecord> {
    await this.checkOwner(request, id);
    return this.relay.cancel(id);
  }

  /** Whoever may not see a call doesn't learn either that there is one. */
  private async checkOwner(request: Request, id: string): Promise<void> {
    if (!RELAY_ID.test(id)) {
      const expected = 'the id of a relayed call, 64 lower-case hexadecimal digits';
      throw invalidArgument(`id: expected ${expected}, got '${printable(id)}'.`, 'id');
    }
    const { name, isScoped } = ownerOf(request);
    if (!isScoped || (await this.statuses.ownerOf(id)) === name) return;
    throw new CloudTasksError('NOT_FOUND', 'There is no such call.', { field: 'id' });
  }
}

/** About a field of the request, and not about one of the backend's. */
function isOfOurs(error: unknown): boolean {
  const fields: readonly string[] = [...RELAY_FIELDS, ...OPTION_FIELDS];
  return error instanceof CloudTasksError && fields.includes(error.field ?? '');
}

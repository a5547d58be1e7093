/** The endpoint that enqueues a job, for whoever may enqueue. */
import { All, HttpCode, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { EnqueuedTask } from '../producer/enqueued-task.js';
import type { HandlerRequest } from '../producer/handler-requests.js';
import { HandlerRequests } from '../producer/handler-requests.js';
import { refuseMethod } from '../producer/post-only.js';
import { ProducerGuard } from '../producer/producer-guard.js';

/** A controller that extends it says at which path it answers, and what it enqueues. */
@UseGuards(ProducerGuard)
export abstract class JobEndpoint {
  protected abstract readonly job: HandlerRequest;

  constructor(private readonly requests: HandlerRequests) {}

  @Post()
  @HttpCode(202)
  enqueue(@Req() request: Request): Promise<EnqueuedTask> {
    return this.requests.enqueue(request, this.job);
  }

  @All()
  refuse(@Req() request: Request, @Res({ passthrough: true }) response: Response): never {
    return refuseMethod(request, response);
  }
}

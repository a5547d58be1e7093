/** Answers requests by any other method to a path that enqueues. */
import { MethodNotAllowedException } from '@nestjs/common';
import type { Request, Response } from 'express';

/** @throws MethodNotAllowedException always */
export function refuseMethod(request: Request, response: Response): never {
  response.setHeader('Allow', 'POST');
  throw new MethodNotAllowedException(`This path allows POST, got ${request.method}.`);
}

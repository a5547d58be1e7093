/** The parameter decorator that gives a handler the context of its attempt. */
import type { ExecutionContext } from '@nestjs/common';
import { createParamDecorator } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { taskContextOf } from './attempt-context.js';
import type { TaskContext } from '../task-context.js';

/** Nest notes this function down with each parameter, which tells ours from other decorators. */
export function taskInfo(_data: unknown, context: ExecutionContext): TaskContext {
  const http = context.switchToHttp();
  return taskContextOf(http.getRequest<object>(), http.getResponse<ServerResponse>());
}

/** Gives a handler, as its last parameter, the `TaskContext` of the attempt. */
export const TaskInfo: () => ParameterDecorator = createParamDecorator(taskInfo);

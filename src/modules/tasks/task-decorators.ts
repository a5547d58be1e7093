/** The decorators: ordinary controllers and routes, guarded, and known by their class. */
import type { ControllerOptions, ExecutionContext } from '@nestjs/common';
import {
  applyDecorators,
  Controller,
  createParamDecorator,
  HttpCode,
  Inject,
  Post,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { HTTP_CODE_METADATA } from '@nestjs/common/constants.js';
import type { ServerResponse } from 'node:http';
import { CloudTasksError } from '../../engine/errors.js';
import { TaskGuard } from '../auth/task-guard.js';
import { deliverable } from './delivery.js';
import { HandlerInterceptor } from './handler-interceptor.js';
import type { TaskContext } from './task-context.js';
import type { ControllerClass } from './task-metadata.js';
import { markController, markHandler } from './task-metadata.js';
import type { ReadOptions, TaskDefaults } from './task-options.js';
import { readTaskDefaults } from './task-options.js';
import { taskContextOf } from './attempt-context.js';

/**
 * A controller whose routes only verified tasks may call.
 *
 * @param path as of `@Controller`: a path, or `{ path, version }`
 * @param options defaults of its handlers' tasks
 */
export function TaskController(
  path: string | Pick<ControllerOptions, 'path' | 'version' | 'scope' | 'durable'>,
  options: TaskDefaults = {},
): ClassDecorator {
  return (controller) => {
    const read = readAt(`@TaskController of ${controller.name}`, options);
    Controller(typeof path === 'string' ? { path } : path)(controller);
    UseGuards(TaskGuard)(controller);
    markController(controller, read);
  };
}

/**
 * A handler: an ordinary POST route of that path, guarded, which answers 200 unless `@HttpCode`
 * says otherwise.
 *
 * @param options defaults of its tasks; they beat the controller's
 */
export function Task(path: string, options: TaskDefaults = {}): MethodDecorator {
  return (target, name, descriptor) => {
    const where = `${target.constructor.name}.${String(name)}`;
    const value: unknown = descriptor.value;
    if (typeof value !== 'function') throw new Error(`@Task of ${where}: not a method.`);
    // Nest awaits what it injects, and would wait for this one for ever.
    if (name === 'then') throw new Error(`@Task of ${where}: a handler can't be called 'then'.`);
    const method = deliverable(value as Parameters<typeof deliverable>[0]);
    descriptor.value = method as typeof descriptor.value;
    markHandler(method, { options: readAt(`@Task of ${where}`, options), path });
    if (!Reflect.hasMetadata(HTTP_CODE_METADATA, method)) {
      HttpCode(200)(target, name, descriptor);
    }
    const route = [Post(path), UseGuards(TaskGuard), UseInterceptors(HandlerInterceptor)];
    applyDecorators(...route)(target, name, descriptor);
  };
}

/** Nest notes this function down with each parameter, which tells ours from other decorators. */
export function taskInfo(_data: unknown, context: ExecutionContext): TaskContext {
  const http = context.switchToHttp();
  return taskContextOf(http.getRequest<object>(), http.getResponse<ServerResponse>());
}

/** Gives a handler, as its last parameter, the `TaskContext` of the attempt. */
export const TaskInfo: () => ParameterDecorator = createParamDecorator(taskInfo);

/** Injects the delayed calls of a controller that is in some `TasksModule.forFeature`. */
export function InjectTasks(controller: ControllerClass): ParameterDecorator & PropertyDecorator {
  return Inject(tasksToken(controller));
}

const tokens = new WeakMap<ControllerClass, symbol>();

export function tasksToken(controller: ControllerClass): symbol {
  let token = tokens.get(controller);
  if (!token) {
    token = Symbol(`Tasks<${controller.name}>`);
    tokens.set(controller, token);
  }
  return token;
}

function readAt(where: string, options: TaskDefaults): ReadOptions {
  try {
    return readTaskDefaults(options);
  } catch (error) {
    if (!(error instanceof CloudTasksError)) throw error;
    const { code, field, message } = error;
    throw new CloudTasksError(code, `${where}: ${message}`, { field, cause: error });
  }
}

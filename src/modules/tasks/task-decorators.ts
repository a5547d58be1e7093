/** The decorators: ordinary controllers and routes, guarded, and known by their class. */
import type { ControllerOptions } from '@nestjs/common';
import {
  applyDecorators,
  Controller,
  HttpCode,
  Inject,
  Post,
  UseGuards,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import { HTTP_CODE_METADATA } from '@nestjs/common/constants.js';
import { CloudTasksError } from '../../engine/errors.js';
import { TaskGuard } from '../auth/task-guard.js';
import { deliverable } from './attempts/delivery.js';
import { FailureWitness } from './attempts/failure-witness.js';
import { TaskInterceptor } from './attempts/task-interceptor.js';
import { PlainRouteInterceptor } from './attempts/plain-route-interceptor.js';
import type { ControllerClass } from './routes/task-metadata.js';
import { markController, markHandler } from './routes/task-metadata.js';
import type { ReadOptions, TaskDefaults } from './task-options.js';
import { readTaskDefaults } from './task-options.js';

export { TaskInfo } from './attempts/task-info.js';

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
    const read = readOptionsAt(`@TaskController of ${controller.name}`, options);
    Controller(typeof path === 'string' ? { path } : path)(controller);
    UseGuards(TaskGuard)(controller);
    UseInterceptors(PlainRouteInterceptor)(controller);
    markController(controller, read);
  };
}

/** What may be said of one handler. */
export interface HandlerOptions extends TaskDefaults {
  /**
   * Paths that it had before, each like its own: tasks that were created for one of them still
   * find it.
   */
  readonly aliases?: readonly string[] | undefined;
}

/**
 * A handler: an ordinary POST route of that path, guarded, which answers 200 unless `@HttpCode`
 * says otherwise.
 *
 * @param options defaults of its tasks; they beat the controller's
 */
export function Task(path: string, { aliases, ...options }: HandlerOptions = {}): MethodDecorator {
  return (target, name, descriptor) => {
    const where = `${target.constructor.name}.${String(name)}`;
    const value: unknown = descriptor.value;
    if (typeof value !== 'function') throw new Error(`@Task of ${where}: not a method.`);
    // Nest awaits what it injects, and would wait for this one for ever.
    if (name === 'then') throw new Error(`@Task of ${where}: a handler can't be called 'then'.`);
    const method = deliverable(value as Parameters<typeof deliverable>[0]);
    (descriptor as PropertyDescriptor).value = method;
    markHandler(method, { options: readOptionsAt(`@Task of ${where}`, options), path });
    if (!Reflect.hasMetadata(HTTP_CODE_METADATA, method)) {
      HttpCode(200)(target, name, descriptor);
    }
    const route = [
      Post(readPaths(where, path, aliases)),
      UseGuards(TaskGuard),
      UseFilters(new FailureWitness()),
      UseInterceptors(TaskInterceptor),
    ];
    applyDecorators(...route)(target, name, descriptor);
  };
}

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

/** Says in an error which decorator it was. */
export function readOptionsAt(where: string, options: TaskDefaults): ReadOptions {
  try {
    return readTaskDefaults(options);
  } catch (error) {
    if (!(error instanceof CloudTasksError)) throw error;
    const { code, field, message } = error;
    throw new CloudTasksError(code, `${where}: ${message}`, { field, cause: error });
  }
}

/** Its own path comes first, as the first one that is registered is that of new tasks. */
function readPaths(where: string, path: string, aliases: unknown = []): string | string[] {
  const isList = Array.isArray(aliases) && aliases.every((alias) => typeof alias === 'string');
  if (!isList) {
    const message = `@Task of ${where}: aliases: expected a list of paths, got ${typeof aliases}.`;
    throw new CloudTasksError('INVALID_ARGUMENT', message, { field: 'aliases' });
  }
  return aliases.length === 0 ? path : [path, ...aliases];
}

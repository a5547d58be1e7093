/** Finds the registered route of every handler, and refuses at start-up what could not work. */
import type { Type } from '@nestjs/common';
import { Injectable, VersioningType } from '@nestjs/common';
import { GUARDS_METADATA, HOST_METADATA } from '@nestjs/common/constants.js';
import { ApplicationConfig, DiscoveryService, HttpAdapterHost } from '@nestjs/core';
import type { HttpMethod } from '../../../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../../engine/errors.js';
import { TaskGuard } from '../../auth/task-guard.js';
import { STORE_MISSING } from '../../journal/journal-options.js';
import type { AttemptRules } from '../attempts/attempt-rules.js';
import { DEFAULT_MAX_ATTEMPTS } from '../attempts/attempt-rules.js';
import type { HandlerParameter } from './handler-parameters.js';
import { handlerParameters, hasTaskInfo } from './handler-parameters.js';
import type { PipeSource } from './parameter-pipes.js';
import { arrivalOf } from './parameter-pipes.js';
import type { PathTemplate } from './path-template.js';
import { readPath } from './path-template.js';
import type { ExpressApp, RegisteredRoute } from './registered-routes.js';
import { registeredRoutes } from './registered-routes.js';
import { versionHeader } from './route-version.js';
import type { ControllerClass, HandlerMark } from './task-metadata.js';
import { controllerOptions, handlerMark, handlersOf } from './task-metadata.js';
import type { BaseOptions } from '../task-options.js';
import { mergeOptions } from '../task-options.js';
import type { HandlerRoute } from '../calls/rebuilt-request.js';
import { TasksSettings } from '../module-options.js';

interface Handler {
  /** Of the module that has the controller. */
  readonly pipes: PipeSource | undefined;
  readonly controller: ControllerClass;
  readonly method: string;
  readonly name: string;
}

@Injectable()
export class HandlerRoutes {
  private byMark: ReadonlyMap<HandlerMark, HandlerRoute> | undefined;
  private readonly further = new Set<string>();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly host: HttpAdapterHost,
    private readonly config: ApplicationConfig,
    private readonly settings: TasksSettings,
  ) {}

  /** The app that the routes are registered with; undefined where there is no HTTP server. */
  express(): ExpressApp | undefined {
    const adapter = this.host.httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
    const type = adapter?.getType();
    if (type === 'express') return adapter?.getInstance<ExpressApp>();
    // A stand-in of Nest's own has no type.
    if (!type) return undefined;
    throw new Error(`TasksModule runs on Express, not on ${type}.`);
  }

  /** Whether routes of one path may be told apart by a header only. */
  get versionsShareAPath(): boolean {
    const versioning = this.config.getVersioning();
    return versioning !== undefined && versioning.type !== VersioningType.URI;
  }

  /**
   * Reads everything once; Nest has registered all routes before it calls the first `onModuleInit`.
   *
   * @throws Error with a line for each handler that can't work
   */
  read(): ReadonlyMap<HandlerMark, HandlerRoute> {
    this.byMark ??= this.readAll();
    return this.byMark;
  }

  /** A handler gets tasks of these queues too, though it names others. To be said before the start. */
  takeFrom(queues: readonly string[]): void {
    for (const queue of queues) this.further.add(queue);
  }

  /**
   * The queues that handlers' tasks go to, the default one included.
   *
   * @throws Error with a line for each handler that can't work
   */
  queues(): Set<string> {
    const named = [...this.read().values()].map(({ options }) => options.queue);
    return new Set([this.settings.defaults.queue, ...named, ...this.further]);
  }

  /** @throws CloudTasksError FAILED_PRECONDITION in a process that has registered no routes */
  of(mark: HandlerMark, name: string): HandlerRoute {
    const route = this.read().get(mark);
    if (route) return route;
    throw new CloudTasksError(
      'FAILED_PRECONDITION',
      `${name} has no registered route: .delay works only in a Nest HTTP application that has the controller.`,
    );
  }

  /** When to give its tasks up. */
  rulesOf(mark: HandlerMark): AttemptRules {
    const route = this.read().get(mark);
    const maxAttempts = route?.options.maxAttempts ?? this.defaultMaxAttempts;
    const isDoneOnce = Boolean(route?.options.idempotency);
    return { handler: route?.handler, maxAttempts, isDoneOnce };
  }

  get defaultMaxAttempts(): number {
    return this.settings.defaults.maxAttempts ?? DEFAULT_MAX_ATTEMPTS;
  }

  private readAll(): ReadonlyMap<HandlerMark, HandlerRoute> {
    const express = this.express();
    if (!express) return new Map();
    const problems: string[] = [];
    const handlers = this.handlers(problems);
    const routes = registeredRoutes(express);
    const found = new Map<HandlerMark, HandlerRoute>();
    const taken = new Map<string, string>();
    for (const [mark, handler] of handlers) {
      const refuse = (reason: string) => problems.push(`${handler.name}: ${reason}`);
      const route = this.readHandler(mark, handler, { express, routes }, refuse);
      if (!route) continue;
      found.set(mark, route);
      const address = [route.method, route.route.path, ...(route.versionHeader ?? [])].join(' ');
      const other = taken.get(address);
      if (other !== undefined) refuse(`it has the same route as ${other}: ${address}`);
      taken.set(address, handler.name);
    }
    if (problems.length > 0) {
      throw new Error(`TasksModule can't start.${problems.map((line) => `\n- ${line}`).join('')}`);
    }
    return found;
  }

  /** The handlers of all controllers that some module has. */
  private handlers(problems: string[]): Map<HandlerMark, Handler> {
    const handlers = new Map<HandlerMark, Handler>();
    for (const { metatype, host } of this.discovery.getControllers()) {
      const controller = metatype as Type<object> | null;
      if (!controller) continue;
      for (const [method, mark] of handlersOf(controller)) {
        const name = `${controller.name}.${method}`;
        const handler = { controller, method, name, pipes: host as PipeSource | undefined };
        const other = handlers.get(mark);
        if (other?.controller === controller) {
          problems.push(`${handler.name}: its controller is registered twice`);
        } else if (other) {
          problems.push(`${handler.name}: it is inherited, and ${other.name} is the same method`);
        }
        handlers.set(mark, handler);
      }
    }
    return handlers;
  }

  private readHandler(
    mark: HandlerMark,
    { controller, method, name, pipes }: Handler,
    { express, routes }: { express: ExpressApp; routes: readonly RegisteredRoute[] },
    refuse: (reason: string) => void,
  ): HandlerRoute | undefined {
    // Of several paths or versions any does: all call the same method.
    const route = routes.find(({ callback }) => handlerMark(callback) === mark);
    if (!route) {
      refuse('no route is registered for it; is it overwritten, or not a method of a controller?');
      return undefined;
    }
    if (Reflect.getMetadata(HOST_METADATA, controller) !== undefined) {
      refuse("its controller is bound to a host, which a task can't name");
    }
    const { method: httpMethod } = route;
    if (!httpMethod) {
      refuse('no task can have its HTTP method');
      return undefined;
    }
    const parameters = handlerParameters(controller, method, refuse);
    checkMethod(httpMethod, parameters, refuse);
    if (mark.isOpen && hasTaskInfo(controller, method) && !isGuarded(controller, route.callback)) {
      refuse('it has @TaskInfo, so it needs @UseGuards(TaskGuard), which verifies who calls');
    }
    const template = readPath(route.path);
    if (typeof template === 'string') {
      refuse(template);
      return undefined;
    }
    checkPath(route, template, parameters, refuse);
    const version = versionHeader(this.config.getVersioning(), controller, route, refuse);
    for (const { index, place, name: header } of parameters) {
      if (place === 'header' && header.toLowerCase() === version?.[0]) {
        refuse(`argument ${index + 1} is the header that picks its version`);
      }
    }
    const firstRoute = version
      ? // Others may have the same path, each for its version.
        () => route
      : (path: string) => routes.find((other) => other.handles(httpMethod) && other.match(path));
    const first = template.names.length === 0 ? firstRoute(route.path) : route;
    if (first && first !== route && !handlerMark(first.callback)) {
      refuse(`another route takes ${httpMethod} ${route.path}: ${first.path}`);
    }
    const options = this.options(mark, controller, refuse);
    if (!options) return undefined;
    const parse = express.get('query parser fn');
    return {
      handler: name,
      method: httpMethod,
      options,
      route,
      template,
      parameters: parameters.map((parameter) => ({
        ...parameter,
        arrival: arrivalOf(parameter, [controller, route.callback], this.config, pipes),
      })),
      ...(version ? { versionHeader: version } : {}),
      firstRoute,
      parseQuery: (query) => (parse ? parse(query) : {}),
    };
  }

  private options(
    mark: HandlerMark,
    controller: ControllerClass,
    refuse: (reason: string) => void,
  ): BaseOptions | undefined {
    try {
      const levels = [controllerOptions(controller), mark.options];
      const options = mergeOptions(this.settings.defaults, ...levels);
      if (options.idempotency && !this.settings.journal.place)
        refuse(`idempotency ${STORE_MISSING}`);
      return options;
    } catch (error) {
      if (!(error instanceof CloudTasksError)) throw error;
      refuse(error.message);
      return undefined;
    }
  }
}

/** Each parameter of the path is filled by one argument, and each such argument fills one. */
function checkPath(
  { path }: RegisteredRoute,
  { names }: PathTemplate,
  parameters: readonly HandlerParameter[],
  refuse: (reason: string) => void,
): void {
  const filled = parameters.filter(({ place }) => place === 'path').map(({ name }) => name);
  for (const name of names) {
    if (!filled.includes(name)) {
      refuse(`no argument fills ':${name}' of ${path}; add @Param('${name}')`);
    }
  }
  for (const name of filled) {
    if (!names.includes(name)) refuse(`@Param('${name}') is not in its path ${path}`);
  }
}

/** Cloud Tasks sends a body with these methods only. */
function checkMethod(
  method: HttpMethod,
  parameters: readonly HandlerParameter[],
  refuse: (reason: string) => void,
): void {
  if (['POST', 'PUT', 'PATCH'].includes(method)) return;
  for (const { index, place } of parameters) {
    if (!place.startsWith('body')) continue;
    refuse(`argument ${index + 1} is @Body(), and no task has one with ${method}`);
  }
}

/** Whether the guard is the method's or its controller's; a global one can't be seen here. */
function isGuarded(controller: ControllerClass, callback: object): boolean {
  return [controller, callback].some((target) => {
    const guards = Reflect.getMetadata(GUARDS_METADATA, target) as readonly unknown[] | undefined;
    return guards?.some((guard) => guard === TaskGuard || guard instanceof TaskGuard) ?? false;
  });
}

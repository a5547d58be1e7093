/** Reads off a handler's parameter decorators where in a request each argument travels. */
import { PARAMTYPES_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { isHeaderName, isReserved } from '../../../foundation/header-rules.js';
import { taskInfo } from '../attempts/task-info.js';
import type { ControllerClass } from './task-metadata.js';

export type Place =
  'path' | 'query' | 'whole-query' | 'header' | 'cookie' | 'whole-cookies' | 'body' | 'body-field';

/** Where one argument of `.delay` travels; `name` is the decorator's, as it stands there. */
export interface HandlerParameter {
  readonly index: number;
  readonly place: Place;
  readonly name: string;
  /** Its own pipes, as its decorator names them. */
  readonly pipes: readonly unknown[];
  /** Its own schema, for Nest's StandardSchemaValidationPipe. */
  readonly schema?: unknown;
  /** What TypeScript notes down as its type: a class, also `String` and its like. */
  readonly declaredType: unknown;
}

interface ParameterMetadata {
  readonly index: number;
  readonly data?: unknown;
  readonly pipes?: readonly unknown[];
  readonly schema?: unknown;
  readonly factory?: unknown;
}

/** Decorators of what no rebuilt request has, by Nest's names for them. */
const NOT_REBUILT: Readonly<Record<string, string>> = {
  REQUEST: '@Req',
  RESPONSE: '@Res',
  NEXT: '@Next',
  SESSION: '@Session',
  FILE: '@UploadedFile',
  FILES: '@UploadedFiles',
  HOST: '@HostParam',
  IP: '@Ip',
  RAW_BODY: '@RawBody',
  SIGNED_COOKIES: '@SignedCookies',
};

/**
 * The parameters that `.delay` takes, in their order.
 *
 * @param refuse called with each reason why a request can't be rebuilt, the argument named
 */
export function handlerParameters(
  controller: ControllerClass,
  method: string,
  refuse: (reason: string) => void,
): HandlerParameter[] {
  const metadata = metadataOf(controller, method);
  const types = parameterTypes(controller, method);
  const count = types?.length ?? lengthOf(controller, method);
  const parameters: HandlerParameter[] = [];
  const decorated = new Set<number>();
  for (const [key, entry] of metadata) {
    const { index } = entry;
    const argument = `argument ${index + 1}`;
    if (decorated.has(index)) refuse(`${argument} has two decorators`);
    decorated.add(index);
    if (entry.factory === taskInfo) {
      // A parameter after it would move up when .delay leaves it out.
      if (index !== count - 1) refuse(`@TaskInfo must be the last parameter, not ${argument}`);
      continue;
    }
    const parameter = readParameter(key, entry, types?.[index]);
    if (typeof parameter === 'string') refuse(`${argument} is ${parameter}`);
    else parameters.push(parameter);
  }
  for (let index = 0; index < count; index++) {
    if (!decorated.has(index)) refuse(`argument ${index + 1} has no decorator`);
  }
  refuseCollisions(parameters, refuse);
  return parameters;
}

export function hasTaskInfo(controller: ControllerClass, method: string): boolean {
  return metadataOf(controller, method).some(([, { factory }]) => factory === taskInfo);
}

function metadataOf(controller: ControllerClass, method: string): [string, ParameterMetadata][] {
  return Object.entries(
    (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, method) ?? {}) as Readonly<
      Record<string, ParameterMetadata>
    >,
  ).sort(([, one], [, other]) => one.index - other.index);
}

/** As Nest filters them. */
function isPipe(pipe: unknown): boolean {
  const kind = typeof pipe;
  return (
    kind === 'function' || (kind === 'object' && pipe !== null && 'transform' in (pipe as object))
  );
}

/** What TypeScript notes down of all parameters. */
function parameterTypes(controller: ControllerClass, method: string) {
  return Reflect.getMetadata(PARAMTYPES_METADATA, controller.prototype as object, method) as
    readonly unknown[] | undefined;
}

/** Stops at the first that has a default. */
function lengthOf(controller: ControllerClass, method: string): number {
  const prototype = controller.prototype as Readonly<Record<string, { readonly length: number }>>;
  return prototype[method]?.length ?? 0;
}

/** @returns the parameter, or why a request can't carry it */
function readParameter(
  key: string,
  entry: ParameterMetadata,
  declaredType: unknown,
): HandlerParameter | string {
  const { index, data, pipes = [], schema } = entry;
  const kind: string | undefined = RouteParamtypes[Number(key.split(':')[0])];
  // A custom decorator's key is no number: only its own code knows what it reads.
  if (kind === undefined) return "of a custom decorator, which can't be rebuilt";
  const name = typeof data === 'string' && data !== '' ? data : undefined;
  const parameter = (place: HandlerParameter['place']) => ({
    index,
    place,
    name: name ?? '',
    pipes: pipes.filter(isPipe),
    ...(schema === undefined ? {} : { schema }),
    declaredType,
  });
  switch (kind) {
    case 'PARAM':
      return name === undefined ? '@Param() without a name' : parameter('path');
    case 'QUERY':
      return parameter(name === undefined ? 'whole-query' : 'query');
    case 'BODY':
      if (name !== undefined && name in Object.prototype) {
        return `@Body('${name}'), which every object has`;
      }
      return parameter(name === undefined ? 'body' : 'body-field');
    case 'COOKIES':
      if (name !== undefined && !isHeaderName(name)) {
        return `@Cookies('${name}'), which is no name of a cookie`;
      }
      return parameter(name === undefined ? 'whole-cookies' : 'cookie');
    case 'HEADERS':
      if (name === undefined) return '@Headers() without a name';
      if (!isHeaderName(name)) return `@Headers('${name}'), which is no name of a header`;
      if (isReserved(name)) return `@Headers('${name}'), which the sender sets; see @TaskInfo`;
      return parameter('header');
    default:
      return `${NOT_REBUILT[kind] ?? kind}, which can't be rebuilt`;
  }
}

/** Two arguments can't travel in one place. */
function refuseCollisions(
  parameters: readonly HandlerParameter[],
  refuse: (reason: string) => void,
): void {
  const taken = new Map<string, HandlerParameter>();
  for (const parameter of parameters) {
    const { place, index } = parameter;
    const name = place === 'header' ? parameter.name.toLowerCase() : parameter.name;
    const other =
      taken.get(`${place} ${name}`) ??
      parameters.find(
        (candidate) =>
          (candidate.place === 'body' && place === 'body-field') ||
          (candidate.place === 'whole-query' && place === 'query') ||
          (candidate.place === 'whole-cookies' && place === 'cookie') ||
          (isCookieHeader(candidate) && place.includes('cookie')),
      );
    if (other) refuse(`arguments ${other.index + 1} and ${index + 1} read the same part`);
    taken.set(`${place} ${name}`, parameter);
  }
}

function isCookieHeader({ place, name }: HandlerParameter): boolean {
  return place === 'header' && name.toLowerCase() === 'cookie';
}

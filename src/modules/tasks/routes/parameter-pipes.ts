/** Finds the pipes that Nest runs on a parameter, and tells those that may be run before its time. */
import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import * as nest from '@nestjs/common';
import { PIPES_METADATA } from '@nestjs/common/constants.js';
import type { ApplicationConfig } from '@nestjs/core';
import type { KnownPipe } from '../attempts/arrival.js';
import { Arrival } from '../attempts/arrival.js';
import type { HandlerParameter, Place } from './handler-parameters.js';

/** What of a Nest module tells how its controllers' pipes were made. */
export interface PipeSource {
  readonly injectables: ReadonlyMap<
    unknown,
    { readonly instance: unknown; isDependencyTreeStatic(): boolean }
  >;
}

/** These only look at their value; which of them there are depends on the version of Nest. */
const PURE = [
  'DefaultValuePipe',
  'ParseArrayPipe',
  'ParseBoolPipe',
  'ParseDatePipe',
  'ParseEnumPipe',
  'ParseFloatPipe',
  'ParseIntPipe',
  'ParseUUIDPipe',
  'StandardSchemaValidationPipe',
  'ValidationPipe',
].flatMap((name) => {
  const pipe: unknown = Reflect.get(nest, name);
  return typeof pipe === 'function' ? [pipe] : [];
});

/** What pipes are told of where their value comes from. */
const METADATA_TYPE: Readonly<Record<Place, ArgumentMetadata['type']>> = {
  path: 'param',
  query: 'query',
  'whole-query': 'query',
  header: 'custom',
  cookie: 'custom',
  'whole-cookies': 'custom',
  body: 'body',
  'body-field': 'body',
};

/**
 * What becomes of an argument by the pipes of the app, the controller, the method and the
 * parameter itself, in this order.
 *
 * @param targets the controller and the method, or what Nest registered for that
 */
export function arrivalOf(
  { place, name, pipes: own, schema, declaredType }: HandlerParameter,
  targets: readonly object[],
  config: ApplicationConfig,
  source: PipeSource | undefined,
): Arrival {
  const type = METADATA_TYPE[place];
  // As Nest makes it; an older Nest has no schema, and no word for that here.
  const metadata = {
    type,
    metatype: declaredType,
    data: name === '' ? undefined : name,
    ...(schema === undefined ? {} : { schema }),
  } as ArgumentMetadata;
  // Nest runs none on them.
  if (place === 'header') return new Arrival([], metadata, false);
  const bound = targets.flatMap(
    (target) => (Reflect.getMetadata(PIPES_METADATA, target) ?? []) as readonly unknown[],
  );
  const perRequest = config.getGlobalRequestPipes().map((): KnownPipe => 'unknown');
  const others = [...bound, ...own].map((pipe) => instanceOf(pipe, source));
  const pipes = [...config.getGlobalPipes(), ...perRequest, ...others].map(known);
  return new Arrival(pipes, metadata, type === 'body');
}

function instanceOf(pipe: unknown, source: PipeSource | undefined): unknown {
  if (typeof pipe !== 'function') return pipe;
  const wrapper = source?.injectables.get(pipe);
  // One that is made anew for each request has no instance to ask.
  return wrapper?.isDependencyTreeStatic() ? wrapper.instance : undefined;
}

function known(pipe: unknown): KnownPipe {
  return PURE.some((kind) => pipe instanceof kind) ? (pipe as PipeTransform) : 'unknown';
}

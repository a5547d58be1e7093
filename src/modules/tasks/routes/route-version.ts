/** What in a request picks a route's version, where that isn't in its path. */
import type { VersioningOptions } from '@nestjs/common';
import { VersioningType } from '@nestjs/common';
import { VERSION_METADATA } from '@nestjs/common/constants.js';
import type { RegisteredRoute } from './registered-routes.js';
import { isHeaderValue } from '../../../foundation/header-rules.js';
import type { ControllerClass } from './task-metadata.js';

/** By lower-case name. */
export type VersionHeader = readonly [name: string, value: string];

/** @param refuse called with the reason why nothing that we send could pick it */
export function versionHeader(
  versioning: VersioningOptions | undefined,
  controller: ControllerClass,
  route: RegisteredRoute,
  refuse: (reason: string) => void,
): VersionHeader | undefined {
  if (!versioning || versioning.type === VersioningType.URI) return undefined;
  const version = versionOf(controller, route, versioning);
  if (version === undefined) return undefined;
  if (versioning.type === VersioningType.CUSTOM) {
    refuse("its version is picked by the app's own code, which can't be asked for one");
    return undefined;
  }
  if (!isHeaderValue(version)) {
    refuse(`its version '${version}' can't be a header's value`);
    return undefined;
  }
  return versioning.type === VersioningType.HEADER
    ? [versioning.header.toLowerCase(), version]
    : ['accept', `application/json;${versioning.key}${version}`];
}

/** As Nest does it: the method's before the controller's before the app's; the first of several. */
function versionOf(
  controller: ControllerClass,
  { callback }: RegisteredRoute,
  { defaultVersion }: VersioningOptions,
): string | undefined {
  const own = Reflect.getMetadata(VERSION_METADATA, callback) as typeof defaultVersion;
  const controllers = Reflect.getMetadata(VERSION_METADATA, controller) as typeof defaultVersion;
  return [own ?? controllers ?? defaultVersion].flat().find((one) => typeof one === 'string');
}

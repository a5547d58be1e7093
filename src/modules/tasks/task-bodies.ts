/** Reads the bodies of task routes, also those kept apart from their task, of verified callers only. */
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import express from 'express';
import type { IncomingMessage } from 'node:http';
import type { TaskAuthenticator } from '../auth/task-authenticator.js';
import type { Payloads } from '../payloads/payloads.js';
import type { ExpressApp } from './registered-routes.js';
import { registeredRoutes, useBeforeBodyParsers } from './registered-routes.js';
import { handlerMark } from './task-metadata.js';

/** A task's most; Nest's own parsers stop at 100 KB. */
const MOST_IN_TASK = 1024 * 1024;

/** What came, byte for byte, for `@RawBody()` and for whoever checks a signature. */
function verify(request: IncomingMessage & { rawBody?: Buffer }, _: unknown, bytes: Buffer): void {
  request.rawBody = bytes;
}

interface Parsers {
  readonly json: RequestHandler;
  readonly text: RequestHandler;
  readonly raw: RequestHandler;
}

function parsersUpTo(limit: number): Parsers {
  const options = { limit, verify, type: () => true };
  return {
    json: express.json({ ...options, strict: false }),
    text: express.text(options),
    raw: express.raw(options),
  };
}

/**
 * Stands before Nest's parsers, which leave a body alone that has been read. Who isn't verified is
 * answered through the app's own exception filters, before a byte of the body is taken in.
 *
 * @param versionsShareAPath whether it takes a look at a header to tell routes apart
 */
export function readTaskBodies(
  app: ExpressApp,
  authenticator: TaskAuthenticator,
  payloads: Payloads,
  versionsShareAPath: boolean,
): void {
  const routes = registeredRoutes(app);
  const inTask = parsersUpTo(MOST_IN_TASK);
  const keptApart = parsersUpTo(payloads.maxBytes ?? 0);
  /** Who takes the request, whatever its headers pick: tasks only, tasks too, or no handler. */
  const takenBy = ({ method, path }: Request): 'task' | 'anyone' | undefined => {
    const matching = routes.filter((route) => route.handles(method) && route.match(path));
    // Where a version may belong to another controller, only the guard can tell. Nest's parsers
    // then read the body.
    const taken = versionsShareAPath ? matching : matching.slice(0, 1);
    const marks = taken.map(({ callback }) => handlerMark(callback));
    if (marks.length === 0 || marks.includes(undefined)) return undefined;
    return marks.some((mark) => mark?.isOpen) ? 'anyone' : 'task';
  };
  useBeforeBodyParsers(app, (request: Request, response: Response, next: NextFunction) => {
    const taker = takenBy(request);
    if (taker === undefined || (taker === 'anyone' && !saysItIsATask(request))) {
      next();
      return;
    }
    authenticator
      .verify(request)
      .then(() => payloads.restore(request))
      .then(
        (restored) => {
          parse(restored ? keptApart : inTask, request, response, next);
        },
        // Whether it is let in where anyone may come is for the route's own guards to say.
        taker === 'task' ? next : () => next(),
      );
  });
}

function saysItIsATask({ headers }: Request): boolean {
  return 'x-cloudtasks-queuename' in headers || 'x-appengine-queuename' in headers;
}

/** JSON as its value, other text as a string, anything else as a `Buffer`, nothing as undefined. */
function parse(
  { json, text, raw }: Parsers,
  request: Request,
  response: Response,
  next: NextFunction,
): void {
  if (request.headers['content-length'] === '0') {
    // Taken in all the same, or Nest's parser would make `{}` of it.
    raw(request, response, (error?: unknown) => {
      request.body = undefined;
      next(error);
    });
  } else if (request.is(['urlencoded', 'multipart'])) {
    // Forms are for Nest's own parsers, and for those that read files.
    next();
  } else if (request.is(['json', '+json'])) {
    json(request, response, next);
  } else {
    (request.is('text/*') ? text : raw)(request, response, next);
  }
}

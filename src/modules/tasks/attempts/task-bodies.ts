/** Reads the bodies of task routes, also those kept apart from their task, of verified callers only. */
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import express from 'express';
import type { IncomingMessage } from 'node:http';
import type { TaskAuthenticator } from '../../auth/task-authenticator.js';
import { isKeptApart } from '../../payloads/payloads.js';
import type { Payloads } from '../../payloads/payloads.js';
import type { AttemptOutcomes, RunningAttempt } from './attempt-outcomes.js';
import type { AttemptRules } from './attempt-rules.js';
import { witnessed } from './failure-witness.js';
import { checkTaskJson, checkTaskText } from './task-json.js';
import type { ExpressApp } from '../routes/registered-routes.js';
import { registeredRoutes, useBeforeBodyParsers } from '../routes/registered-routes.js';
import { saysItIsATask } from '../task-headers.js';
import type { HandlerMark } from '../routes/task-metadata.js';
import { handlerMark } from '../routes/task-metadata.js';

/** A task's most; Nest's own parsers stop at 100 KB. */
const MOST_IN_TASK = 1024 * 1024;

/** What came, byte for byte, for `@RawBody()` and for whoever checks a signature. */
function keep(request: IncomingMessage & { rawBody?: Buffer }, _: unknown, bytes: Buffer): void {
  request.rawBody = bytes;
}

function checkJson(request: IncomingMessage, _: unknown, bytes: Buffer, charset: string): void {
  checkTaskJson(bytes, charset);
  keep(request, _, bytes);
}

function checkText(request: IncomingMessage, _: unknown, bytes: Buffer, charset: string): void {
  checkTaskText(bytes, charset);
  keep(request, _, bytes);
}

interface Parsers {
  readonly json: RequestHandler;
  readonly text: RequestHandler;
  readonly raw: RequestHandler;
}

function parsersUpTo(limit: number): Parsers {
  const options = { limit, verify: keep, type: () => true };
  return {
    json: express.json({ ...options, verify: checkJson, strict: false }),
    text: express.text({ ...options, verify: checkText }),
    raw: express.raw(options),
  };
}

interface KnownRoutes {
  /** Whether it takes a look at a header to tell routes apart. */
  readonly versionsShareAPath: boolean;
  readonly rulesOf: (mark: HandlerMark) => AttemptRules;
}

/**
 * Stands before Nest's parsers, which leave a body alone that has been read. Who isn't verified is
 * answered through the app's own exception filters, before a byte of the body is taken in.
 *
 * Of tasks, the answer is held from here on until it is decided what becomes of them.
 */
export function readTaskBodies(
  app: ExpressApp,
  authenticator: TaskAuthenticator,
  payloads: Payloads,
  outcomes: Pick<AttemptOutcomes, 'open'>,
  { versionsShareAPath, rulesOf }: KnownRoutes,
): void {
  const routes = registeredRoutes(app);
  const inTask = parsersUpTo(MOST_IN_TASK);
  const keptApart = parsersUpTo(payloads.maxBytes ?? 0);
  /** The handlers that may take the request, whatever its headers pick; none if others may too. */
  const takersOf = ({ method, path }: Request): HandlerMark[] => {
    const matching = routes.filter((route) => route.handles(method) && route.match(path));
    // Where a version may belong to another controller, only the guard can tell. Nest's parsers
    // then read the body.
    const taken = versionsShareAPath ? matching : matching.slice(0, 1);
    const marks = taken.map(({ callback }) => handlerMark(callback));
    return marks.includes(undefined) ? [] : marks.filter((mark) => mark !== undefined);
  };
  useBeforeBodyParsers(app, (request: Request, response: Response, next: NextFunction) => {
    const takers = takersOf(request);
    const [taker, ...others] = takers;
    const isOpen = takers.some((mark) => mark.isOpen);
    if (!taker || (isOpen && !saysItIsATask(request))) {
      next();
      return;
    }
    authenticator.verify(request).then(
      (verified) => {
        // Of several, the interceptor of the one that is picked begins it.
        const attempt =
          isOpen || others.length > 0
            ? undefined
            : outcomes.open(request, response, verified, rulesOf(taker));
        if (attempt?.isOver) return;
        const proceed = goingOn(attempt, next);
        payloads
          .restore(request)
          .then(
            (restored) => parse(restored ? keptApart : inTask, request, response, proceed),
            proceed,
          );
      },
      // Whether it is let in where anyone may come is for the route's own guards to say, but
      // without its body it isn't what was asked for.
      isOpen && !isKeptApart(request) ? () => next() : next,
    );
  });
}

/** What comes next, its failures seen. */
function goingOn(attempt: RunningAttempt | undefined, next: NextFunction): NextFunction {
  if (!attempt) return next;
  return (error?: unknown) => {
    if (error !== undefined) attempt.failed(error, 'body');
    witnessed(
      (failure) => attempt.failed(failure),
      () => next(error),
    );
  };
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

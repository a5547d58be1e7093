/** Has the bodies of signed tasks compared with their signature before a parser takes them. */
import type { NextFunction, Request, Response } from 'express';
import { ENVELOPE_HEADER } from '../../auth/envelope.js';
import type { TaskAuthenticator } from '../../auth/task-authenticator.js';
import type { ExpressApp } from '../routes/registered-routes.js';
import { useBeforeBodyParsers } from '../routes/registered-routes.js';

const HEADER = ENVELOPE_HEADER.toLowerCase();

export function checkSealedBodies(app: ExpressApp, authenticator: TaskAuthenticator): void {
  if (!authenticator.opensEnvelopes) return;
  useBeforeBodyParsers(app, (request: Request, _response: Response, next: NextFunction) => {
    if (request.headers[HEADER] === undefined) {
      next();
      return;
    }
    // Whether it is let in is for the guards of its route to say, which get the same answer.
    authenticator.verify(request).then(
      () => next(),
      () => next(),
    );
  });
}

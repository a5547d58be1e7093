/** Answers tasks for paths that nobody has: 404 while another version may bring the path, then parked. */
import type { NextFunction, Request, Response } from 'express';
import type { TaskAuthenticator } from '../../auth/task-authenticator.js';
import type { AttemptOutcomes } from './attempt-outcomes.js';
import type { ExpressApp } from '../routes/registered-routes.js';
import { registeredRoutes } from '../routes/registered-routes.js';
import { saysItIsATask } from '../task-headers.js';

/** Behind all routes, and before Nest's own 404. */
export function answerUnknownPaths(
  app: ExpressApp,
  authenticator: TaskAuthenticator,
  outcomes: AttemptOutcomes,
  maxAttempts: number,
): void {
  const routes = registeredRoutes(app);
  const answer = (request: Request, response: Response, next: (error?: unknown) => void) => {
    if (!saysItIsATask(request) || response.headersSent) {
      next();
      return;
    }
    authenticator.verify(request).then(
      (verified) => {
        const attempt = outcomes.open(request, response, verified, { maxAttempts });
        if (attempt) attempt.unknownPath();
        else next();
      },
      // To whoever isn't verified it is an ordinary 404.
      () => next(),
    );
  };
  app.use((request: Request, response: Response, next: NextFunction) =>
    answer(request, response, next),
  );
  // A body that can't be read comes here before anybody was asked for the path.
  app.use((error: unknown, request: Request, response: Response, next: NextFunction) => {
    const { method, path } = request;
    if (routes.some((route) => route.handles(method) && route.match(path))) next(error);
    else answer(request, response, () => next(error));
  });
}

/** Says in an error about bad input which handler's call it was. */
import { CloudTasksError } from '../../../engine/errors.js';

/** Whatever `work` refuses names the handler; other failures pass as they are. */
export function namingHandler<Result>(handler: string, work: () => Result): Result {
  const rethrow = (error: unknown): never => {
    if (!(error instanceof CloudTasksError) || error.code !== 'INVALID_ARGUMENT') throw error;
    if (error.message.startsWith(handler)) throw error;
    const { code, field, details } = error;
    throw new CloudTasksError(code, `${handler}: ${error.message}`, {
      field,
      details,
      cause: error,
    });
  };
  try {
    const result = work();
    return result instanceof Promise ? (result.catch(rethrow) as Result) : result;
  } catch (error) {
    return rethrow(error);
  }
}

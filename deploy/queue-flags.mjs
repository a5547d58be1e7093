/** Prints what gcloud is to be told of each queue: a line `<id> <PAUSED|RUNNING> <flags>`. */
import console from 'node:console';
import { wantedQueuesOf } from '../dist/host/wanted-queues.js';

const SECOND = 1_000_000;
const seconds = (duration) => `${duration / SECOND}s`;

/** By the API's names: gcloud's flag, and how it writes the value. */
const FLAGS = {
  maxDispatchesPerSecond: ['max-dispatches-per-second', String],
  maxConcurrentDispatches: ['max-concurrent-dispatches', String],
  // Not `unlimited`, which gcloud takes and doesn't send.
  maxAttempts: ['max-attempts', String],
  maxRetryDuration: ['max-retry-duration', seconds],
  minBackoff: ['min-backoff', seconds],
  maxBackoff: ['max-backoff', seconds],
  maxDoublings: ['max-doublings', String],
};

function flagsOf({ rateLimits, retryConfig, appEngineRoutingOverride, stackdriverLoggingConfig }) {
  const flags = Object.entries({ ...rateLimits, ...retryConfig }).flatMap(([name, value]) => {
    const [flag, write] = FLAGS[name] ?? [];
    return flag === undefined ? [] : [`--${flag}=${write(value)}`];
  });
  if (stackdriverLoggingConfig) {
    flags.push(`--log-sampling-ratio=${stackdriverLoggingConfig.samplingRatio}`);
  }
  if (appEngineRoutingOverride) {
    const parts = Object.entries(appEngineRoutingOverride).map((part) => part.join(':'));
    flags.push(`--routing-override=${parts.join(',')}`);
  }
  return flags;
}

try {
  const [, , file] = process.argv;
  const { queues } = await wantedQueuesOf(file);
  for (const { id, settings, state = 'RUNNING' } of queues) {
    console.log([id, state, ...flagsOf(settings)].join(' '));
    const left = ['taskTtl', 'tombstoneTtl', 'httpTarget'].filter((name) => name in settings);
    if (settings.rateLimits?.maxBurstSize !== undefined) left.push('maxBurstSize');
    if (left.length > 0) {
      console.error(
        `${id}: ${left.join(', ')}: gcloud can't set that; npx nest-cloud-tasks queues apply can`,
      );
    }
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

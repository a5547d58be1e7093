/** Every error that the engine answers: its code, its text and its help. docs/errors.md explains each. */
import type { ErrorCode, ErrorDetail } from './errors.js';
import { CloudTasksError } from './errors.js';

interface Entry {
  readonly code: ErrorCode;
  /** `{name}` is filled in. What production was recorded to say is word for word. */
  readonly text: string;
}

function entry<Text extends string>(code: ErrorCode, text: Text) {
  return { code, text } as const;
}

export const ERRORS = {
  // Names.
  PROJECT_DENIED: entry('PERMISSION_DENIED', 'Permission denied on resource project {project}.'),
  QUEUE_NAME: entry(
    'INVALID_ARGUMENT',
    'Queue name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>".',
  ),
  TASK_NAME: entry(
    'INVALID_ARGUMENT',
    'Task name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>/tasks/<TASK_ID>"',
  ),
  TASK_ID: entry(
    'INVALID_ARGUMENT',
    'Task ID "{id}" can contain only letters ([A-Za-z]), numbers ([0-9]), hyphens (-), or underscores (_). Task ID must between 1 and 500 characters.',
  ),
  OTHER_QUEUE: entry(
    'INVALID_ARGUMENT',
    "The queue name from request ('{parent}') must be the same as the queue name in the named task ('{queue}').",
  ),
  OTHER_LOCATION: entry(
    'INVALID_ARGUMENT',
    "The location from request ('{parent}') must be the same as the location in the named queue ('{queue}').",
  ),
  OTHER_PARENT: entry(
    'INVALID_ARGUMENT',
    "The parent of request {index} ('{own}') must be the same as that of the batch ('{parent}').",
  ),
  CMEK_NAME: entry(
    'INVALID_ARGUMENT',
    'CMEK config name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/cmekConfig".',
  ),
  KMS_KEY: entry(
    'INVALID_ARGUMENT',
    'CmekConfig.kmsKey must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/keyRings/<KEY_RING_ID>/cryptoKeys/<KEY_ID>".',
  ),

  // Queues.
  QUEUE_EXISTS: entry('ALREADY_EXISTS', 'Queue already exists'),
  QUEUE_TOO_RECENT: entry(
    'FAILED_PRECONDITION',
    'The queue cannot be created because a queue with this name existed too recently.',
  ),
  NO_QUEUE: entry(
    'NOT_FOUND',
    'Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize.',
  ),
  NO_ENTITY: entry('NOT_FOUND', 'Requested entity was not found.'),
  PULL_QUEUE: entry(
    'UNIMPLEMENTED',
    'Pull queues are not served: give the queue the type PUSH, or none.',
  ),
  RATE_NEGATIVE: entry('INVALID_ARGUMENT', 'RateLimits.maxDispatchesPerSecond cannot be negative.'),
  RATE_TOO_HIGH: entry(
    'INVALID_ARGUMENT',
    'RateLimits.maxDispatchesPerSecond must be less than or equal to 500.',
  ),
  CONCURRENCY_NEGATIVE: entry(
    'INVALID_ARGUMENT',
    'RateLimits.maxConcurrentDispatches cannot be negative.',
  ),
  CONCURRENCY_TOO_HIGH: entry(
    'INVALID_ARGUMENT',
    'RateLimits.maxConcurrentDispatches must be less than or equal to 5000.',
  ),
  BURST_NEGATIVE: entry('INVALID_ARGUMENT', 'RateLimits.maxBurstSize cannot be negative.'),
  BURST_TOO_HIGH: entry(
    'INVALID_ARGUMENT',
    'RateLimits.maxBurstSize must be less than or equal to 500.',
  ),
  ATTEMPTS_TOO_LOW: entry(
    'INVALID_ARGUMENT',
    'RetryConfig.maxAttempts must be greater or equal to -1.',
  ),
  DOUBLINGS_NEGATIVE: entry('INVALID_ARGUMENT', 'RetryConfig.maxDoublings cannot be negative.'),
  MIN_BACKOFF_NEGATIVE: entry('INVALID_ARGUMENT', 'RetryConfig.minBackoff cannot be negative.'),
  MAX_BACKOFF_NEGATIVE: entry('INVALID_ARGUMENT', 'RetryConfig.maxBackoff cannot be negative.'),
  RETRY_DURATION_NEGATIVE: entry(
    'INVALID_ARGUMENT',
    'RetryConfig.maxRetryDuration cannot be negative.',
  ),
  BACKOFF_ORDER: entry(
    'INVALID_ARGUMENT',
    'RetryConfig.minBackoff must be less than or equal to RetryConfig.maxBackoff.',
  ),
  NOT_WHOLE: entry('INVALID_ARGUMENT', '{setting} must be a whole number.'),
  SAMPLING_RATIO: entry(
    'INVALID_ARGUMENT',
    'StackdriverLoggingConfig.samplingRatio must be between 0.0 and 1.0.',
  ),
  TASK_TTL: entry('INVALID_ARGUMENT', 'Queue.taskTtl must be 10 days to 10 years.'),
  TOMBSTONE_TTL: entry('INVALID_ARGUMENT', 'Queue.tombstoneTtl must be 1 hour to 9 days.'),
  QUEUE_MASK: entry('INVALID_ARGUMENT', 'Invalid mask for Queue: {path}'),
  QUEUE_FILTER: entry(
    'INVALID_ARGUMENT',
    "filter must be a field, one of <= < >= > != = : and a value, such as 'state: PAUSED'; got '{filter}'.",
  ),

  // A queue's httpTarget.
  OVERRIDE_HOST: entry(
    'INVALID_ARGUMENT',
    "UriOverride.host must be a host name or address without a port, got '{host}'.",
  ),
  OVERRIDE_PORT: entry(
    'INVALID_ARGUMENT',
    'UriOverride.port must be a whole number from 0 to 65535, got {port}.',
  ),
  OVERRIDE_TOKENS: entry(
    'INVALID_ARGUMENT',
    'HttpTarget must have at most one of oidcToken and oauthToken.',
  ),
  OVERRIDE_TOKEN_PART: entry('INVALID_ARGUMENT', 'HttpTarget.{part} is required.'),

  // Tasks.
  TASK_EXISTS: entry('ALREADY_EXISTS', 'Requested entity already exists'),
  TASK_TOO_RECENT: entry(
    'ALREADY_EXISTS',
    'The task cannot be created because a task with this name existed too recently. For more information about task de-duplication see https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues.tasks/create#body.request_body.FIELDS.task.',
  ),
  TASK_GONE: entry(
    'NOT_FOUND',
    'The task no longer exists, though a task with this name existed recently. The task either successfully completed or was deleted.',
  ),
  NO_PAYLOAD: entry('INVALID_ARGUMENT', 'Task.payload_type is not set.'),
  TWO_PAYLOADS: entry(
    'INVALID_ARGUMENT',
    'Task must have one of httpRequest and appEngineHttpRequest.',
  ),
  TASK_SIZE: entry('INVALID_ARGUMENT', 'Task size too large'),
  DEADLINE: entry('INVALID_ARGUMENT', 'Task.dispatchDeadline must be between {range}.'),
  SCHEDULE_TOO_FAR: entry(
    'INVALID_ARGUMENT',
    'The Task.scheduleTime, {time}, is too far in the future. Schedule time must be no more than 720h in the future.',
  ),
  SCHEDULE_UNREADABLE: entry(
    'INVALID_ARGUMENT',
    'Task.scheduleTime must be a whole number of microseconds before the year 10000, got {got}.',
  ),
  URL_MISSING: entry('INVALID_ARGUMENT', 'HttpRequest.url is required.'),
  URL_SCHEME: entry('INVALID_ARGUMENT', "HttpTarget.url must start with 'http://' or 'https://'."),
  URL_INVALID: entry('INVALID_ARGUMENT', "HttpRequest.url is not a valid URL, got '{url}'."),
  URL_LENGTH: entry(
    'INVALID_ARGUMENT',
    'HttpRequest.url must be at most {most} characters when encoded, got {length}.',
  ),
  URL_TOKEN: entry(
    'INVALID_ARGUMENT',
    "HttpRequest.url must start with 'https://' for request with HttpRequest.authorization_header",
  ),
  RELATIVE_URI: entry(
    'INVALID_ARGUMENT',
    "AppEngineHttpRequest.relativeUri must start with '/', hold no spaces and be at most {most} characters, got '{uri}'.",
  ),
  TWO_TOKENS: entry(
    'INVALID_ARGUMENT',
    'HttpRequest must have at most one of oidcToken and oauthToken.',
  ),
  TOKEN_ACCOUNT: entry('INVALID_ARGUMENT', '{part} is required.'),
  METHOD: entry('INVALID_ARGUMENT', "httpMethod must be one of {methods}, got '{got}'."),
  BODY_METHOD: entry('INVALID_ARGUMENT', 'A body is allowed only with {methods}, got {got}.'),
  HEADER: entry(
    'INVALID_ARGUMENT',
    "Header names are letters, digits and !#$%&'*+.^_`|~-, values hold no control characters; got '{name}'.",
  ),
  HEADERS_SIZE: entry(
    'INVALID_ARGUMENT',
    'Headers must be at most {most} bytes in total, got {size}.',
  ),
  BATCH_SIZE: entry('INVALID_ARGUMENT', 'A batch must have 1 to {most} {what}, got {count}.'),
  BATCH_FAILED: entry(
    'ABORTED',
    'None of the requests succeeded, refer to {metadata}.failed_requests for individual error details',
  ),
  NO_HTTP_TARGET: entry(
    'FAILED_PRECONDITION',
    'The queue must have an httpTarget with a host to buffer tasks.',
  ),

  // Jobs.
  JOB_NAME: entry(
    'INVALID_ARGUMENT',
    'Job name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/jobs/<JOB_ID>", with a JOB_ID of 1 to 500 letters, numbers, hyphens and underscores.',
  ),
  JOB_OTHER_LOCATION: entry(
    'INVALID_ARGUMENT',
    "The location from request ('{parent}') must be the same as the location in the named job ('{job}').",
  ),
  JOB_EXISTS: entry('ALREADY_EXISTS', 'Job [{job}] already exists.'),
  NO_JOB: entry('NOT_FOUND', 'Job not found.'),
  JOB_DESCRIPTION: entry(
    'INVALID_ARGUMENT',
    'Job.description must be at most 500 characters, got {length}.',
  ),
  JOB_NO_TARGET: entry('INVALID_ARGUMENT', 'Job.target is not set.'),
  JOB_TWO_TARGETS: entry(
    'INVALID_ARGUMENT',
    'Job must have one of httpTarget and appEngineHttpTarget.',
  ),
  PUBSUB_TARGET: entry(
    'UNIMPLEMENTED',
    'Jobs with a pubsubTarget are not served, since this engine has no Pub/Sub: give the job an httpTarget or an appEngineHttpTarget.',
  ),
  JOB_URI: entry(
    'INVALID_ARGUMENT',
    "HttpTarget.uri must be a valid URL that starts with 'http://' or 'https://', of at most {most} characters; got '{uri}'.",
  ),
  JOB_URI_TOKEN: entry(
    'INVALID_ARGUMENT',
    "HttpTarget.uri must start with 'https://' for a job with an oidcToken or oauthToken.",
  ),
  JOB_TOKENS: entry(
    'INVALID_ARGUMENT',
    'HttpTarget must have at most one of oidcToken and oauthToken, with its serviceAccountEmail.',
  ),
  JOB_METHOD: entry('INVALID_ARGUMENT', "httpMethod must be one of {methods}, got '{got}'."),
  SCHEDULE: entry(
    'INVALID_ARGUMENT',
    "Schedule '{schedule}': expected {expected}, got {got}, at character {column}.",
  ),
  TIME_ZONE: entry(
    'INVALID_ARGUMENT',
    "Time zone '{got}' is not known: expected a name of the tz database, such as 'America/Los_Angeles' or 'Etc/UTC'.",
  ),
  JOB_RETRY: entry('INVALID_ARGUMENT', 'RetryConfig.{setting} must be {expected}, got {got}.'),
  JOB_DEADLINE: entry('INVALID_ARGUMENT', 'Job.attemptDeadline must be between {range}.'),
  JOB_SIZE: entry('INVALID_ARGUMENT', 'Job size too large: at most {most} bytes, got {size}.'),
  JOB_MASK: entry('INVALID_ARGUMENT', 'Invalid mask for Job: {path}'),
  JOB_NOT_ENABLED: entry('FAILED_PRECONDITION', 'The job must be ENABLED to be paused.'),
  JOB_NOT_PAUSED: entry('FAILED_PRECONDITION', 'The job must be PAUSED to be resumed.'),

  // Lists, policies and operations.
  PAGE_SIZE: entry('INVALID_ARGUMENT', 'pageSize must be a whole number from 0, got {got}.'),
  PAGE_TOKEN: entry('INVALID_ARGUMENT', 'pageToken is not one that a list call answered.'),
  PAGE_TOKEN_SCOPE: entry(
    'INVALID_ARGUMENT',
    'pageToken belongs to another request: only pageSize may change.',
  ),
  PAGE_TOKEN_AGE: entry('INVALID_ARGUMENT', 'pageToken is older than 2 hours.'),
  POLICY_ETAG: entry(
    'ABORTED',
    'There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.',
  ),
  POLICY_MASK: entry('INVALID_ARGUMENT', 'Invalid mask for Policy: {path}'),
  POLICY_VERSION: entry('INVALID_ARGUMENT', 'Policy.version must be 1 or 3, got {version}.'),
  POLICY_ROLE: entry('INVALID_ARGUMENT', 'Policy.bindings.role is required.'),
  PERMISSION_WILDCARD: entry(
    'INVALID_ARGUMENT',
    "permissions can't have wildcards, got '{permission}'.",
  ),
  CMEK_MASK: entry('INVALID_ARGUMENT', 'Invalid mask for CmekConfig: {path}'),
  REQUEST_ID: entry('INVALID_ARGUMENT', "requestId must be a UUID, got '{got}'."),
  NO_OPERATION: entry('NOT_FOUND', 'Operation {name} is not known, or is forgotten.'),

  // Requests.
  RPC_DEADLINE: entry(
    'INVALID_ARGUMENT',
    'The request deadline is {time}. The deadline cannot be more than 30s in the future.',
  ),
  NOT_A_MESSAGE: entry('INVALID_ARGUMENT', 'The request is not a valid {type}.'),
  NOT_ONE_OF: entry('INVALID_ARGUMENT', "{field} must be one of {names}, got '{got}'."),
  NOT_INT32: entry('INVALID_ARGUMENT', '{field} must be a whole number of 32 bits, got {got}.'),
  NOT_MICROSECONDS: entry(
    'INVALID_ARGUMENT',
    '{field} must be a whole number of microseconds, got {got}.',
  ),
  TIME_RANGE: entry('INVALID_ARGUMENT', '{field} is outside the range of a {type}.'),
  INTERNAL: entry('INTERNAL', 'Internal error.'),

  // Requests by REST.
  NOT_JSON: entry('INVALID_ARGUMENT', 'Invalid JSON payload received. The body is not valid JSON.'),
  UNKNOWN_NAME: entry(
    'INVALID_ARGUMENT',
    'Invalid JSON payload received. Unknown name "{name}"{place}: {problem}',
  ),
  INVALID_VALUE: entry('INVALID_ARGUMENT', "Invalid value at '{path}' ({type}), {problem}"),
  CONTENT_TYPE: entry(
    'INVALID_ARGUMENT',
    'The body must be JSON, with Content-Type: application/json.',
  ),
  CONTENT_ENCODING: entry('INVALID_ARGUMENT', 'The body must not have a Content-Encoding.'),
  PAYLOAD_SIZE: entry('INVALID_ARGUMENT', 'Request payload size exceeds the limit: {most} bytes.'),
  BROKEN_OFF: entry('CANCELLED', 'The request broke off.'),
  V2BETA2: entry(
    'UNIMPLEMENTED',
    'This engine serves v2 and v2beta3; v2beta2, and the pull queues that only it has, are not implemented.',
  ),
} as const satisfies Record<string, Entry>;

export type ErrorName = keyof typeof ERRORS;

/** The names in braces. */
type Placeholders<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholders<Rest>
  : never;

type Values<Name extends ErrorName> = Record<
  Placeholders<(typeof ERRORS)[Name]['text']>,
  string | number
> & {
  /** The request's field that is at fault, as a JSON path. */
  readonly field?: string | undefined;
};

/** The error of that name, to be thrown. */
export function refusal<Name extends ErrorName>(name: Name, values: Values<Name>): CloudTasksError {
  const { code, text }: Entry = ERRORS[name];
  const filled = new Map<string, unknown>(Object.entries(values));
  const message = text.replace(/\{(\w+)\}/g, (_, key: string) => String(filled.get(key)));
  return new CloudTasksError(code, message, {
    field: values.field,
    details: DETAILS[name]?.(message, filled) ?? [],
  });
}

/** What production was recorded to answer besides code and text. */
const DETAILS: Partial<
  Record<ErrorName, (message: string, values: ReadonlyMap<string, unknown>) => ErrorDetail[]>
> = {
  QUEUE_NAME: () => [help('Definition of queue name', `${REFERENCE}#Queue.FIELDS.name`)],
  TASK_ID: () => [help('Definition of task ID', `${REFERENCE}.tasks#Task.FIELDS.name`)],
  PROJECT_DENIED: (message, values) => {
    const project = String(values.get('project'));
    return [
      {
        '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
        reason: 'CONSUMER_INVALID',
        domain: 'googleapis.com',
        metadata: {
          consumer: `projects/${project}`,
          containerInfo: project,
          service: 'cloudtasks.googleapis.com',
        },
      },
      { '@type': 'type.googleapis.com/google.rpc.LocalizedMessage', locale: 'en-US', message },
      help('Google developers console', 'https://console.developers.google.com'),
    ];
  },
};

const REFERENCE = 'https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues';

function help(description: string, url: string): ErrorDetail {
  return { '@type': 'type.googleapis.com/google.rpc.Help', links: [{ description, url }] };
}

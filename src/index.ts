/** The public API, listed by hand: what isn't here may change in any release. */

// The module.
export { TasksModule } from './modules/tasks/tasks.module.js';
export type { TasksAuthOptions, TasksModuleOptions } from './modules/tasks/module-options.js';
export type {
  CloudTasksOptions,
  EmbeddedEngineOptions,
} from './modules/cloud-tasks/cloud-tasks-options.js';
export type { QueueSettings } from './host/queues-plan.js';
export type { AllowedAccount, AuthMode, PinnedAccount } from './modules/auth/auth-options.js';
export type { EnvelopeSecrets } from './modules/auth/envelope.js';
export type { PayloadStoreOptions } from './modules/payloads/payload-options.js';

// Handlers.
export { Task, TaskController, TaskInfo } from './modules/tasks/task-decorators.js';
export { Delayable } from './modules/tasks/routes/delayable.js';
export { PermanentFailure, RetryLater } from './modules/dead-letters/handler-failures.js';
export type { RetryLaterOptions } from './modules/dead-letters/handler-failures.js';
export { TaskContext } from './modules/tasks/task-context.js';
export { TaskGuard } from './modules/auth/task-guard.js';
export { AllowServiceAccounts } from './modules/auth/allowed-accounts.js';

// Schedules.
export { Schedule } from './modules/schedules/schedule-decorator.js';
export { SchedulesModule } from './modules/schedules/schedules.module.js';
export type { ScheduleOptions, ScheduleRetry } from './foundation/schedule-plan.js';

// Delayed calls.
export { InjectTasks } from './modules/tasks/task-decorators.js';
export { Tasks } from './modules/tasks/tasks.js';
export type {
  Delayed,
  DelayedCall,
  HandlerArguments,
  ManyOptions,
  SettledTask,
  TaskRef,
} from './modules/tasks/tasks.js';
export type { OnDuplicate, TaskDefaults, TaskOptions } from './modules/tasks/task-options.js';
export type { OAuthOptions, OidcOptions, TaskTarget } from './modules/tasks/target-options.js';
export type { TaskIdRule } from './modules/tasks/calls/task-id.js';
export type { IdempotencyOptions, TaskIdempotency } from './modules/tasks/attempts/idempotency.js';
export type { TaskState, TaskStatus } from './modules/tasks/attempts/task-statuses.js';
export { TaskProducer } from './modules/tasks/calls/task-producer.js';
export type { AppEngineCall, HttpCall } from './modules/tasks/calls/plain-call.js';
export type { DurationText } from './foundation/duration.js';

// Hooks.
export { deadlineHook, headersHook } from './modules/tasks/hooks/built-in-hooks.js';
export type {
  TaskAttempt,
  TaskChanges,
  TaskDraft,
  TaskHook,
  TaskHookOption,
  TaskOutcome,
} from './modules/tasks/hooks/task-hook.js';

// The relay.
export { RelayEndpointsModule, RelayModule } from './modules/relay/relay.module.js';
export type { RelayModuleOptions } from './modules/relay/relay-options.js';
export type { RelayCredentials } from './modules/relay/id-tokens.js';
export { Relay } from './modules/relay/relay.js';
export type { RelayRef, RelayRequest } from './modules/relay/relay.js';
export type { OnCallerGone, RelayRetry } from './modules/relay/relay-call.js';
export type { RelayRecord, RelayState } from './modules/relay/relay-status.js';
export type { RecordedAnswer } from './modules/relay/recorded-answer.js';
export type { CallbackEvent } from './modules/relay/callback-event.js';
export type { LoopbackCalls, OutboundRule } from './outbound/outbound-rule.js';
export { verifyWebhook } from './foundation/webhook-signature.js';
export type { WebhookHeaders, WebhookRules } from './foundation/webhook-signature.js';

// Dead letters.
export { DeadLetters } from './modules/dead-letters/dead-letters.js';
export type {
  DeadLetterContent,
  DeadLetterFilter,
  DeadLetterResult,
} from './modules/dead-letters/dead-letters.js';
export type { DeadLetter, DeadReason, Epitaph } from './modules/dead-letters/dead-letter.js';
export type { Lineage } from './modules/dead-letters/lineage.js';

// Queues and tasks themselves.
export { CLOUD_TASKS } from './modules/cloud-tasks/queue-backend.js';
export { CloudTasksError } from './engine/errors.js';
export type { ErrorCode, ErrorDetail } from './engine/errors.js';
export type { Duration, Instant } from './engine/time.js';
export type {
  ApiVersion,
  AppEngineHttpRequest,
  AppEngineRouting,
  Attempt,
  CloudTasksApi,
  CreateQueueRequest,
  CreateTaskRequest,
  GetQueueRequest,
  HttpMethod,
  HttpRequest,
  HttpTarget,
  ListQueuesAnswer,
  ListQueuesRequest,
  ListTasksRequest,
  OAuthToken,
  OidcToken,
  Page,
  Queue,
  QueueInput,
  QueueState,
  QueueStats,
  QueueType,
  RateLimits,
  RetryConfig,
  Task as TaskResource,
  TaskInput,
  TaskRequest,
  UpdateQueueRequest,
  UriOverride,
  View,
} from './engine/cloud-tasks-api.js';
export type {
  CloudSchedulerApi,
  CreateJobRequest,
  Job,
  JobAppEngineTarget,
  JobHttpTarget,
  JobInput,
  JobRetryConfig,
  JobStatus,
  ListJobsAnswer,
  ListJobsRequest,
  UpdateJobRequest,
} from './engine/cloud-scheduler-api.js';
export type {
  IamApi,
  IamBinding,
  IamCondition,
  IamPolicy,
  SetIamPolicyRequest,
} from './engine/iam-api.js';
export type { EngineEvent, EngineEvents } from './engine/ports.js';

/**
 * The joint of the whole project: the verbs of Cloud Tasks v2, on plain data.
 *
 * The engine implements it, Google's client is wrapped to look like it, and everything else calls
 * only it. Requests and answers are structured-cloneable, so they cross a thread unchanged. Field
 * names are the API's JSON names; instants and durations are whole microseconds.
 */
import type { IamApi } from './iam-api.js';
import type { Duration, Instant } from './time.js';

export type HttpMethod = 'POST' | 'GET' | 'HEAD' | 'PUT' | 'DELETE' | 'PATCH' | 'OPTIONS';
export type QueueState = 'RUNNING' | 'PAUSED' | 'DISABLED';
export type View = 'BASIC' | 'FULL';

export interface RateLimits {
  /** Tokens a second, fractions allowed. Default and most: 500. */
  maxDispatchesPerSecond: number;
  /** Bucket size, at most 500. v2 can't set it. Default `max(10, maxDispatchesPerSecond / 5)`. */
  maxBurstSize: number;
  /** Default 1000, most 5000. */
  maxConcurrentDispatches: number;
}

export interface RetryConfig {
  /** First attempt included; -1 is unlimited. Default 100. */
  maxAttempts: number;
  /** Counted from the first attempt; 0 is unlimited. Default 0. */
  maxRetryDuration: Duration;
  /** Default 100 ms. */
  minBackoff: Duration;
  /** Default 1 h. */
  maxBackoff: Duration;
  /** Default 16. */
  maxDoublings: number;
}

/** Where an App Engine task goes; an empty part is the default one at attempt time. */
export interface AppEngineRouting {
  service?: string;
  version?: string;
  instance?: string;
  /** Output only. */
  host?: string;
}

/** What of a task's URL a queue replaces; an absent part is left as the task has it. */
export interface UriOverride {
  scheme?: 'HTTP' | 'HTTPS';
  /** Without a port. */
  host?: string;
  /** 0 removes the task's port. */
  port?: number;
  /** Empty removes the task's path; an absent `path` changes nothing. */
  pathOverride?: { path?: string };
  /** Without the question mark. Empty removes the task's query. */
  queryOverride?: { queryParams?: string };
  /** `IF_NOT_EXISTS` only fills in what a task's URL lacks. Default `ALWAYS`. */
  uriOverrideEnforceMode?: 'IF_NOT_EXISTS' | 'ALWAYS';
}

/** What a queue replaces in each of its HTTP tasks when it sends them. App Engine tasks stay. */
export interface HttpTarget {
  uriOverride?: UriOverride;
  /** One that has no body drops the task's. */
  httpMethod?: HttpMethod;
  /** Together at most 80 KB. */
  headerOverrides?: { header: { key: string; value: string } }[];
  /** Here `scope` is required. */
  oauthToken?: OAuthToken;
  /** Here `audience` is required. */
  oidcToken?: OidcToken;
}

export type QueueType = 'PUSH' | 'PULL';

/** How a queue is doing now. */
export interface QueueStats {
  /** All that are not finished, those in flight included. */
  tasksCount: number;
  /** When the first of them is to be sent; absent when there are none. */
  oldestEstimatedArrivalTime?: Instant;
  /** Attempts that ended in the last minute, whichever way. */
  executedLastMinuteCount: number;
  /** Attempts in flight. */
  concurrentDispatchesCount: number;
  /** Attempts a second that the queue allows itself now: less than its limit when throttled. */
  effectiveExecutionRate: number;
}

export interface Queue {
  name: string;
  appEngineRoutingOverride?: AppEngineRouting;
  httpTarget?: HttpTarget;
  rateLimits: RateLimits;
  retryConfig: RetryConfig;
  state: QueueState;
  /** Of the last purge; absent before the first. */
  purgeTime?: Instant;
  stackdriverLoggingConfig?: { samplingRatio: number };
  /**
   * How long a task may exist: then it is deleted, sent or not. 10 days to 10 years. Absent: 31
   * days, or v2, which doesn't show it.
   */
  taskTtl?: Duration;
  /** How long a finished task's name stays taken: 1 h to 9 days. Absent: the engine's default. */
  tombstoneTtl?: Duration;
  /** Only where a read mask names it. */
  stats?: QueueStats;
}

/** A queue as a caller gives it: what is absent gets its default, outputs are ignored. */
export interface QueueInput {
  name: string;
  appEngineRoutingOverride?: AppEngineRouting;
  httpTarget?: HttpTarget;
  rateLimits?: Partial<RateLimits>;
  retryConfig?: Partial<RetryConfig>;
  stackdriverLoggingConfig?: { samplingRatio?: number };
  taskTtl?: Duration;
  tombstoneTtl?: Duration;
  /** Default and only `PUSH`. */
  type?: QueueType;
}

/** Whose rules a queue is written by. v2 takes `maxBurstSize` for an output, v2beta3 can set it. */
export type ApiVersion = 'v2' | 'v2beta3';

export interface OidcToken {
  serviceAccountEmail: string;
  /** Default: the target's URL. */
  audience?: string;
}

export interface OAuthToken {
  serviceAccountEmail: string;
  /** Default `https://www.googleapis.com/auth/cloud-platform`. */
  scope?: string;
}

export interface HttpRequest {
  url: string;
  httpMethod: HttpMethod;
  headers: Record<string, string>;
  body?: Uint8Array;
  oidcToken?: OidcToken;
  oauthToken?: OAuthToken;
}

export interface AppEngineHttpRequest {
  httpMethod: HttpMethod;
  appEngineRouting: AppEngineRouting;
  relativeUri: string;
  headers: Record<string, string>;
  body?: Uint8Array;
}

/** One dispatch and its outcome. */
export interface Attempt {
  scheduleTime?: Instant;
  dispatchTime?: Instant;
  responseTime?: Instant;
  /** A google.rpc.Status; means nothing while `responseTime` is absent. */
  responseStatus?: { code: number; message: string };
}

export interface Task {
  name: string;
  httpRequest?: HttpRequest;
  appEngineHttpRequest?: AppEngineHttpRequest;
  scheduleTime: Instant;
  /** Whole seconds. */
  createTime: Instant;
  /** Always set for HTTP (default 10 min); for App Engine only when given. */
  dispatchDeadline?: Duration;
  /** Attempts sent, the one in flight included. */
  dispatchCount: number;
  /** Attempts that got a response. */
  responseCount: number;
  /** Only `dispatchTime` is kept. */
  firstAttempt?: Attempt;
  lastAttempt?: Attempt;
  /** BASIC leaves the body out. */
  view: View;
}

/** A task as a caller gives it. Exactly one of the two requests must be there. */
export interface TaskInput {
  /** Full name; absent, an id is generated. */
  name?: string;
  httpRequest?: Partial<HttpRequest> & { url: string };
  appEngineHttpRequest?: Partial<AppEngineHttpRequest>;
  /** Absent or past: now. At most 30 days ahead. */
  scheduleTime?: Instant;
  dispatchDeadline?: Duration;
}

export interface Page {
  pageSize?: number;
  pageToken?: string;
}

export interface ListQueuesRequest extends Page {
  parent: string;
  /** For example `state: PAUSED`; operators `<= < >= > != = :`. */
  filter?: string;
  /** `stats` is answered only where it is named here. */
  readMask?: string[];
}

export interface ListQueuesAnswer {
  queues: Queue[];
  nextPageToken?: string;
}

export interface GetQueueRequest {
  name: string;
  /** `stats` is answered only where it is named here. */
  readMask?: string[];
  /** By v2, the default, Google leaves out what only v2beta3 has. */
  version?: ApiVersion;
}

export interface CreateQueueRequest {
  parent: string;
  queue: QueueInput;
  /** Default v2. */
  version?: ApiVersion;
}

export interface UpdateQueueRequest {
  queue: QueueInput;
  updateMask?: string[];
  /** Default v2. */
  version?: ApiVersion;
}

export interface ListTasksRequest extends Page {
  parent: string;
  responseView?: View;
}

export interface CreateTaskRequest {
  parent: string;
  task: TaskInput;
  responseView?: View;
}

export interface TaskRequest {
  name: string;
  responseView?: View;
}

export interface CloudTasksApi extends IamApi {
  /** Lexicographic; most and default page 9800. */
  listQueues(request: ListQueuesRequest): Promise<ListQueuesAnswer>;
  getQueue(request: GetQueueRequest): Promise<Queue>;
  createQueue(request: CreateQueueRequest): Promise<Queue>;
  /** Creates a missing queue. No mask means every field; a masked path without a value resets. */
  updateQueue(request: UpdateQueueRequest): Promise<Queue>;
  deleteQueue(request: { name: string }): Promise<void>;
  purgeQueue(request: { name: string }): Promise<Queue>;
  pauseQueue(request: { name: string }): Promise<Queue>;
  resumeQueue(request: { name: string }): Promise<Queue>;
  /** In order of creation; most and default page 1000. */
  listTasks(request: ListTasksRequest): Promise<{ tasks: Task[]; nextPageToken?: string }>;
  getTask(request: TaskRequest): Promise<Task>;
  /** Answers after the task is durable. */
  createTask(request: CreateTaskRequest): Promise<Task>;
  deleteTask(request: { name: string }): Promise<void>;
  /** Dispatches now, whatever the rate, the slots or a pause say. */
  runTask(request: TaskRequest): Promise<Task>;
}

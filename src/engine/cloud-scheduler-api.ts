/**
 * The verbs of Cloud Scheduler v1, on plain data: what CloudTasksApi is for tasks.
 *
 * Field names are the API's JSON names; instants and durations are whole microseconds.
 */
import type {
  AppEngineRouting,
  HttpMethod,
  OAuthToken,
  OidcToken,
  Page,
} from './cloud-tasks-api.js';
import type { Duration, Instant } from './time.js';

export type JobStatus = 'ENABLED' | 'PAUSED' | 'DISABLED' | 'UPDATE_FAILED';

export interface JobHttpTarget {
  uri: string;
  httpMethod: HttpMethod;
  headers: Record<string, string>;
  body?: Uint8Array;
  oidcToken?: OidcToken;
  oauthToken?: OAuthToken;
}

export interface JobAppEngineTarget {
  /** Not PATCH and not OPTIONS. */
  httpMethod: HttpMethod;
  appEngineRouting: AppEngineRouting;
  relativeUri: string;
  headers: Record<string, string>;
  body?: Uint8Array;
}

export interface JobRetryConfig {
  /** Retries, the first attempt not included: 0 to 5. Default 0. */
  retryCount: number;
  /** Counted from the first attempt; 0 is unlimited. Default 0. */
  maxRetryDuration: Duration;
  /** Default 5 s. */
  minBackoffDuration: Duration;
  /** Default 1 h. */
  maxBackoffDuration: Duration;
  /** Default 5. */
  maxDoublings: number;
}

export interface Job {
  /** `projects/PROJECT/locations/LOCATION/jobs/JOB` */
  name: string;
  /** At most 500 characters. */
  description?: string;
  httpTarget?: JobHttpTarget;
  appEngineHttpTarget?: JobAppEngineTarget;
  /** unix-cron, or App Engine's form. */
  schedule: string;
  /** Of the tz database. Default `Etc/UTC`. */
  timeZone: string;
  /** Of the last create or update by somebody. */
  userUpdateTime: Instant;
  state: JobStatus;
  /** Of the last attempt; absent where that succeeded, and before the first. */
  status?: { readonly code: number; readonly message: string };
  /** The next tick, or the next attempt of one that failed. */
  scheduleTime?: Instant;
  lastAttemptTime?: Instant;
  retryConfig: JobRetryConfig;
  /** 15 s to 30 min for HTTP, default 3 min; 15 s to 24 h 15 s for App Engine. */
  attemptDeadline?: Duration;
}

/** A job as a caller gives it: what is absent gets its default, outputs are ignored. */
export interface JobInput {
  name: string;
  description?: string;
  httpTarget?: Partial<JobHttpTarget>;
  appEngineHttpTarget?: Partial<JobAppEngineTarget>;
  /** Refused, with UNIMPLEMENTED. */
  pubsubTarget?: object;
  schedule?: string;
  timeZone?: string;
  retryConfig?: Partial<JobRetryConfig>;
  attemptDeadline?: Duration;
}

export interface ListJobsRequest extends Page {
  parent: string;
}

export interface ListJobsAnswer {
  jobs: Job[];
  nextPageToken?: string;
}

export interface CreateJobRequest {
  parent: string;
  job: JobInput;
}

export interface UpdateJobRequest {
  job: JobInput;
  updateMask?: string[];
}

export interface CloudSchedulerApi {
  /** Lexicographic; most and default page 500. */
  listJobs(request: ListJobsRequest): Promise<ListJobsAnswer>;
  getJob(request: { name: string }): Promise<Job>;
  createJob(request: CreateJobRequest): Promise<Job>;
  /** No mask means every field; a masked path without a value resets. */
  updateJob(request: UpdateJobRequest): Promise<Job>;
  deleteJob(request: { name: string }): Promise<void>;
  /** Only of one that is enabled. */
  pauseJob(request: { name: string }): Promise<Job>;
  /** Only of one that is paused. */
  resumeJob(request: { name: string }): Promise<Job>;
  /** Runs it now, whether or not it is paused. */
  runJob(request: { name: string }): Promise<Job>;
}

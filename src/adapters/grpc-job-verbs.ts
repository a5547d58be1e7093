/** The verbs of Cloud Scheduler v1. */
import protos from '@google-cloud/scheduler/build/protos/protos.js';
import type { CloudSchedulerApi, UpdateJobRequest } from '../engine/cloud-scheduler-api.js';
import { page } from './grpc-task-verbs.js';
import type { GrpcVerb } from './grpc-verb.js';
import { verbsOf } from './grpc-verb.js';
import { jobInputFromWire, jobMask, jobToWire } from './wire-job.js';
import { present } from './wire.js';

const messages = protos.google.cloud.scheduler.v1;
const { Empty } = protos.google.protobuf;

export function jobVerbs(api: CloudSchedulerApi): GrpcVerb[] {
  const verb = verbsOf('google.cloud.scheduler.v1.CloudScheduler');
  const { Job } = messages;
  return [
    verb('ListJobs', messages.ListJobsRequest, messages.ListJobsResponse, async (request) => {
      const { parent } = request;
      const { jobs, nextPageToken } = await api.listJobs({ parent, ...page(request) });
      return { jobs: jobs.map(jobToWire), nextPageToken: nextPageToken ?? '' };
    }),
    verb('GetJob', messages.GetJobRequest, Job, async ({ name }) =>
      jobToWire(await api.getJob({ name })),
    ),
    verb('CreateJob', messages.CreateJobRequest, Job, async ({ parent, job }) =>
      jobToWire(await api.createJob({ parent, job: jobInputFromWire(job ?? {}) })),
    ),
    verb('UpdateJob', messages.UpdateJobRequest, Job, async (request) => {
      const update = present<UpdateJobRequest>({
        job: jobInputFromWire(request.job ?? {}),
        updateMask: jobMask(request.updateMask),
      });
      return jobToWire(await api.updateJob(update));
    }),
    verb('DeleteJob', messages.DeleteJobRequest, Empty, async ({ name }) => {
      await api.deleteJob({ name });
      return {};
    }),
    verb('PauseJob', messages.PauseJobRequest, Job, async ({ name }) =>
      jobToWire(await api.pauseJob({ name })),
    ),
    verb('ResumeJob', messages.ResumeJobRequest, Job, async ({ name }) =>
      jobToWire(await api.resumeJob({ name })),
    ),
    verb('RunJob', messages.RunJobRequest, Job, async ({ name }) =>
      jobToWire(await api.runJob({ name })),
    ),
  ];
}

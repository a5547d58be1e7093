/** Google's own client, made to look like CloudSchedulerApi: for Cloud Scheduler itself or an emulator. */
import type { CloudSchedulerApi } from '../engine/cloud-scheduler-api.js';
import { MILLISECOND, SECOND } from '../engine/time.js';
import type { GoogleOptions } from './google-client.js';
import { openSchedulerClient } from './google-client.js';
import { toCloudTasksError } from './google-error.js';
import { jobFromWire, jobToWire } from './wire-job.js';
import { toInt32 } from './wire.js';

const LIMIT = { timeout: (20 * SECOND) / MILLISECOND };

/**
 * The verbs by Google's client, which is loaded here and not before. Reads are tried again within
 * 20 s; the other verbs never are: one that fails with UNAVAILABLE may have been carried out.
 *
 * @throws INVALID_ARGUMENT for an `emulatorHost` that is no address; UNAUTHENTICATED without one
 *   and without credentials.
 */
export async function googleCloudScheduler(
  options: GoogleOptions = {},
): Promise<CloudSchedulerApi & { close(): Promise<void> }> {
  const client = await openSchedulerClient(options);
  return {
    listJobs: (request) =>
      telling(async () => {
        const wire = { ...request, pageSize: toInt32(request.pageSize, 'pageSize') };
        const [jobs, , answer] = await client.listJobs(wire, { ...LIMIT, autoPaginate: false });
        const { nextPageToken } = answer as { readonly nextPageToken?: string | null };
        return { jobs: jobs.map(jobFromWire), ...(nextPageToken ? { nextPageToken } : {}) };
      }),
    getJob: (request) =>
      telling(async () => jobFromWire((await client.getJob(request, { ...LIMIT }))[0])),
    createJob: ({ parent, job }) =>
      telling(async () => {
        const [created] = await client.createJob({ parent, job: jobToWire(job) }, once());
        return jobFromWire(created);
      }),
    updateJob: ({ job, updateMask }) =>
      telling(async () => {
        const paths = updateMask?.map((path) =>
          path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        );
        const wire = { job: jobToWire(job), updateMask: paths ? { paths } : null };
        return jobFromWire((await client.updateJob(wire, once()))[0]);
      }),
    deleteJob: (request) =>
      telling(async () => {
        await client.deleteJob(request, once());
      }),
    pauseJob: (request) =>
      telling(async () => jobFromWire((await client.pauseJob(request, once()))[0])),
    resumeJob: (request) =>
      telling(async () => jobFromWire((await client.resumeJob(request, once()))[0])),
    runJob: (request) =>
      telling(async () => jobFromWire((await client.runJob(request, once()))[0])),
    close: () => client.close(),
  };
}

/** The client writes each call's headers into its options, so every call gets options of its own. */
function once() {
  return { ...LIMIT, retry: null };
}

async function telling<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toCloudTasksError(error);
  }
}

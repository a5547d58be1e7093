/** Looks at the queues that tasks go to, at those of their dead letters, and what may be done with them. */
import type { Settings } from '../../config.js';
import { deadLetterQueue, isDeadLetterQueue } from '../../foundation/dead-letter-queue.js';
import type { Queue } from '../../engine/cloud-tasks-api.js';
import type { ErrorCode } from '../../engine/errors.js';
import { CloudTasksError } from '../../engine/errors.js';
import { wantedQueues } from '../../host/wanted-queues.js';
import { reachable } from '../../foundation/loopback.js';
import type { OpenBackend } from '../backend.js';
import type { Examined, Section } from './examined.js';
import { onGoogle, whose } from './examined.js';
import type { Finding } from './finding.js';
import { fail, ok, reasonOf, warn } from './finding.js';

const OUTAGES: readonly ErrorCode[] = ['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'UNAUTHENTICATED'];
const CREATE = 'cloudtasks.tasks.create';
/** By permission, what doesn't work without. */
const USEFUL: readonly (readonly [string, string])[] = [
  ['cloudtasks.tasks.get', 'the status of tasks'],
  ['cloudtasks.tasks.delete', 'cancelling tasks'],
];
const USEFUL_FOR_DEAD: readonly (readonly [string, string])[] = [
  ['cloudtasks.tasks.list', 'listing dead letters'],
  ['cloudtasks.tasks.fullView', 'redriving dead letters'],
  ['cloudtasks.tasks.delete', 'redriving and discarding dead letters'],
];

export const queues: Section = {
  title: 'Queues',
  needs: ['PROJECT_ID', 'LOCATION', 'QUEUE_NAME', 'ALLOWED_QUEUES', 'QUEUES_FILE', 'TASKS_BACKEND'],
  applies: () => true,
  async *findings(examined) {
    let ids: readonly string[];
    try {
      ids = await queueIds(examined.settings);
    } catch (error) {
      yield fail('QUEUES_FILE', reasonOf(error));
      return;
    }
    let backend: OpenBackend;
    try {
      backend = await examined.backend();
    } catch (error) {
      yield examined.settings.backend.kind === 'embedded'
        ? ok(ids.join(', '), 'made when the app starts; it is not running now')
        : fail('Cloud Tasks', reasonOf(error));
      return;
    }
    try {
      for (const id of ids.flatMap((each) => [each, deadLetterQueue(each)])) {
        yield* queue(id, backend, examined);
      }
    } catch (error) {
      yield fail('Cloud Tasks', `${backend.where} can't be asked: ${reasonOf(error)}`);
    }
  },
};

/** Those that the settings name. Handlers name more, which only the app knows. */
async function queueIds({ queueName, auth, queuesFile }: Settings): Promise<readonly string[]> {
  const plan = await wantedQueues({ queuesFile });
  const planned = (plan?.queues ?? []).map(({ id }) => id).filter((id) => !isDeadLetterQueue(id));
  return [...new Set([queueName, ...(auth.queues ?? []), ...planned])];
}

async function* queue(
  id: string,
  { api, location }: OpenBackend,
  examined: Examined,
): AsyncIterable<Finding> {
  const name = `${location}/queues/${id}`;
  const about = `queue ${id}`;
  try {
    const found = await api.getQueue({ name });
    yield isDeadLetterQueue(id)
      ? deadLetters(about, id, found, examined)
      : running(about, id, found, examined);
    if (onGoogle(examined)) {
      const useful = isDeadLetterQueue(id) ? USEFUL_FOR_DEAD : USEFUL;
      const asked = [CREATE, ...useful.map(([permission]) => permission)];
      const { permissions } = await api.testIamPermissions({ resource: name, permissions: asked });
      yield* permitted(about, id, permissions, examined);
    }
  } catch (error) {
    // Of the next queue there would be the same answer, each time after a long wait.
    if (!(error instanceof CloudTasksError) || OUTAGES.includes(error.code)) throw error;
    yield refused(about, id, error, examined);
  }
}

function refused(
  about: string,
  id: string,
  { code, message }: CloudTasksError,
  examined: Examined,
): Finding {
  const { settings } = examined;
  if (code === 'NOT_FOUND') {
    const create = command(examined, 'create', id);
    return isDeadLetterQueue(id)
      ? fail(
          about,
          'it is missing, so what fails for good is tried again and again',
          create,
          command(examined, 'pause', id),
        )
      : fail(about, 'it is missing, so no task can be made in it', create);
  }
  if (/has not been used|is disabled/.test(message)) {
    return fail(
      about,
      'the Cloud Tasks API is not enabled',
      `gcloud services enable cloudtasks.googleapis.com --project=${settings.projectId}`,
    );
  }
  // An app works without seeing its queues.
  return code === 'PERMISSION_DENIED'
    ? warn(
        about,
        'it may not be looked at (no cloudtasks.queues.get)',
        `gcloud tasks queues add-iam-policy-binding ${id} ${whose(settings)} --member=MEMBER --role=roles/cloudtasks.viewer`,
      )
    : fail(about, `${code}: ${message}`);
}

function running(
  about: string,
  id: string,
  { state, retryConfig }: Queue,
  examined: Examined,
): Finding {
  if (state === 'PAUSED') {
    return warn(about, 'it is paused, so its tasks wait', command(examined, 'resume', id));
  }
  if (state === 'DISABLED') {
    return fail(about, 'it is disabled, by a queue.yaml that leaves it out', 'Put it there again');
  }
  const { maxAttempts } = retryConfig;
  return maxAttempts === -1
    ? ok(about, 'it runs')
    : warn(
        about,
        `it runs, and drops a task after ${maxAttempts} attempts, which a handler's maxAttempts would park`,
        command(examined, 'update', id),
      );
}

function deadLetters(about: string, id: string, { state }: Queue, examined: Examined): Finding {
  return state === 'PAUSED'
    ? ok(about, 'it is paused, so it keeps what failed for good')
    : fail(
        about,
        'it is not paused, so it sends what failed for good once more',
        command(examined, 'pause', id),
      );
}

async function* permitted(
  about: string,
  id: string,
  had: readonly string[],
  { settings, google }: Examined,
): AsyncIterable<Finding> {
  const who = await google.member();
  const grant = (role: string) =>
    `gcloud tasks queues add-iam-policy-binding ${id} ${whose(settings)} --member=${who} --role=roles/cloudtasks.${role}`;
  if (!had.includes(CREATE)) {
    yield fail(about, `${who} may not make tasks in it (no ${CREATE})`, grant('enqueuer'));
  }
  const useful = isDeadLetterQueue(id) ? USEFUL_FOR_DEAD : USEFUL;
  const missing = useful.filter(([permission]) => !had.includes(permission));
  if (missing.length > 0) {
    const names = missing.map(([permission]) => permission.replace('cloudtasks.', '')).join(', ');
    const without = [...new Set(missing.map(([, what]) => what))].join(', ');
    const roles = new Set(
      missing.map(([permission]) => (permission.endsWith('.delete') ? 'taskDeleter' : 'viewer')),
    );
    yield warn(about, `${who} has not ${names}: ${without} won't work`, ...[...roles].map(grant));
  }
  if (had.includes(CREATE) && missing.length === 0) yield ok(about, 'it may be used as it must be');
}

type Verb = 'create' | 'update' | 'pause' | 'resume';

/** Of a server that isn't Google's, by REST: gcloud would have to be told of it first. */
function command(examined: Examined, verb: Verb, id: string): string {
  const { settings } = examined;
  const { backend, projectId, location } = settings;
  if (onGoogle(examined)) {
    const attempts = verb === 'create' || verb === 'update' ? ' --max-attempts=-1' : '';
    return `gcloud tasks queues ${verb} ${id} ${whose(settings)}${attempts}`;
  }
  const server =
    backend.kind === 'embedded'
      ? `${reachable(backend.host)}:${backend.port}`
      : String(backend.emulatorHost);
  const queues = `projects/${projectId}/locations/${location}/queues`;
  if (verb === 'pause' || verb === 'resume') {
    return `curl -X POST http://${server}/v2/${queues}/${id}:${verb}`;
  }
  const body = JSON.stringify({ name: `${queues}/${id}`, retryConfig: { maxAttempts: -1 } });
  return verb === 'create'
    ? `curl -X POST http://${server}/v2/${queues} -H 'Content-Type: application/json' -d '${body}'`
    : `curl -X PATCH 'http://${server}/v2/${queues}/${id}?updateMask=retryConfig.maxAttempts' -H 'Content-Type: application/json' -d '${body}'`;
}

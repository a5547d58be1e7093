/** Signs the tasks that go to our handlers, and checks those that stand in a queue. */
import { Inject, Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { CreateTaskRequest, Task, TaskInput } from '../../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../engine/errors.js';
import type { Clock } from '../../engine/ports.js';
import { shortId, taskName } from '../../engine/resource-name.js';
import type { TaskSeal } from '../cloud-tasks/queue-backend.js';
import { CLOCK } from '../cloud-tasks/queue-backend.js';
import type { AuthOptions } from './auth-options.js';
import { AUTH_OPTIONS } from './auth-options.js';
import type { Enveloped } from './envelope.js';
import { Envelope, ENVELOPE_HEADER, hashOf } from './envelope.js';

@Injectable()
export class TaskSeals implements TaskSeal {
  private readonly envelope: Envelope | undefined;
  private readonly isOwn: AuthOptions['isOwn'];

  constructor(
    @Inject(AUTH_OPTIONS) { envelope, isOwn }: Pick<AuthOptions, 'envelope' | 'isOwn'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.envelope = envelope && new Envelope(envelope);
    this.isOwn = isOwn;
  }

  /** A task for our handlers, signed; named too, since its name is signed. Any other as it is. */
  async seal(request: CreateTaskRequest): Promise<CreateTaskRequest> {
    const { envelope } = this;
    const { parent, task } = request;
    if (!envelope || !(await this.isForUs(task))) return request;
    const name = task.name ?? taskName(parent, randomUUID().replaceAll('-', ''));
    const headers = Object.fromEntries(headersOf(task).filter(([header]) => !isEnvelope(header)));
    const plain = withHeaders({ ...task, name }, headers);
    const sealed = envelope.seal(envelopedOf(name, plain), bodyOf(plain), this.clock.now());
    return {
      ...request,
      task: withHeaders(plain, { ...headers, [ENVELOPE_HEADER]: sealed }),
    };
  }

  /**
   * Of a task that is to be made anew from what stands in a queue, where others may have put it.
   *
   * @throws CloudTasksError FAILED_PRECONDITION for one that we have not signed
   */
  check(task: Task): void {
    const sealed = headersOf(task).find(([header]) => isEnvelope(header))?.[1];
    const refuse = (why: string): never => {
      throw new CloudTasksError('FAILED_PRECONDITION', `Task ${shortId(task.name)} ${why}.`);
    };
    if (!this.envelope) {
      if (sealed !== undefined) {
        refuse('is signed, and its successor could not be: set ENVELOPE_SECRET as the app has it');
      }
      return;
    }
    const opened = this.envelope.open(envelopedOf(task.name, task), sealed, this.clock.now());
    if ('problem' in opened) refuse(`can't be proven to be ours: ${opened.problem}`);
    else if (hashOf(bodyOf(task)) !== opened.bodyHash)
      refuse("can't be proven to be ours: its body");
  }

  private async isForUs({ httpRequest }: TaskInput): Promise<boolean> {
    if (!httpRequest) return true;
    const url = URL.parse(httpRequest.url);
    return url !== null && this.isOwn(url);
  }
}

type Target = Pick<TaskInput, 'httpRequest' | 'appEngineHttpRequest'>;

function envelopedOf(name: string, task: Target): Enveloped {
  const { httpRequest, appEngineHttpRequest } = task;
  const [, queue = '', taskId = ''] = /\/queues\/([^/]+)\/tasks\/([^/]+)$/.exec(name) ?? [];
  const url = httpRequest && URL.parse(httpRequest.url);
  return {
    queue,
    taskId,
    method: (httpRequest ?? appEngineHttpRequest)?.httpMethod ?? 'POST',
    path: url ? `${url.pathname}${url.search}` : appEngineHttpRequest?.relativeUri || '/',
    headers: headersOf(task),
  };
}

function headersOf({ httpRequest, appEngineHttpRequest }: Target): [string, string][] {
  return Object.entries((httpRequest ?? appEngineHttpRequest)?.headers ?? {});
}

function bodyOf({ httpRequest, appEngineHttpRequest }: Target): Uint8Array {
  return (httpRequest ?? appEngineHttpRequest)?.body ?? new Uint8Array();
}

function withHeaders<Of extends Target>(task: Of, headers: Record<string, string>): Of {
  const { httpRequest, appEngineHttpRequest } = task;
  return {
    ...task,
    ...(httpRequest ? { httpRequest: { ...httpRequest, headers } } : {}),
    ...(appEngineHttpRequest ? { appEngineHttpRequest: { ...appEngineHttpRequest, headers } } : {}),
  };
}

function isEnvelope(header: string): boolean {
  return header.toLowerCase() === ENVELOPE_HEADER.toLowerCase();
}

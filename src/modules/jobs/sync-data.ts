/** The job that brings one entity of the source up to date, and the endpoint that enqueues it. */
import { Body, Controller, Inject, Logger } from '@nestjs/common';
import type { AppRecords } from '../../foundation/app-records.js';
import { CloudTasksError } from '../../engine/errors.js';
import type { Clock } from '../../engine/ports.js';
import { printable } from '../../foundation/printable.js';
import { CLOCK } from '../cloud-tasks/queue-backend.js';
import type { Fields } from '../producer/fields.js';
import { unexpected } from '../producer/fields.js';
import { describeJson } from '../producer/json-object.js';
import { Task, TaskController, TaskInfo } from '../tasks/task-decorators.js';
import { TaskContext } from '../tasks/task-context.js';
import { JobBody } from './job-body.js';
import { JobEndpoint } from './job-endpoint.js';
import { JOBS_RECORDS, SYNC_SOURCE } from './jobs-options.js';
import type { SyncSource } from './sync-source.js';

const FIELDS = ['entity_id'] as const;

export interface SyncResult {
  readonly entity_id: string;
  /** `gone`: the source has it no more. `older`: what is kept is newer than what came. */
  readonly result: 'changed' | 'unchanged' | 'older' | 'gone';
}

@TaskController('tasks')
export class SyncDataTasks {
  private readonly logger = new Logger('Sync');

  constructor(
    @Inject(SYNC_SOURCE) private readonly source: SyncSource | null,
    @Inject(JOBS_RECORDS) private readonly records: AppRecords | null,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** May run twice, and for one entity at once: what is kept is the newest, whatever arrives last. */
  @Task('sync-data', { dispatchDeadline: '2m' })
  async sync(
    @Body(new JobBody(FIELDS, readEntityId)) id: string,
    @TaskInfo() { signal }: TaskContext,
  ): Promise<SyncResult> {
    const result = await this.result(id, signal);
    this.logger.log(`Entity ${id} is ${result}.`);
    return { entity_id: id, result };
  }

  private async result(id: string, signal: AbortSignal): Promise<SyncResult['result']> {
    const { source, records } = this;
    if (!source) throw missing('SYNC_SOURCE_URL', 'a source to read');
    if (!records) throw missing('DATABASE_URL', 'a database to write to');
    const kept = await records.entity(id);
    // What is gone is asked for as a whole.
    const etag = kept?.goneSince === undefined ? kept?.etag : undefined;
    const fetchedAt = this.clock.now();
    const answer = await source.fetch(id, etag, signal);
    switch (answer.kind) {
      case 'gone':
        await records.markGone(id, fetchedAt);
        return 'gone';
      case 'not-modified':
        return (await records.confirm(id, etag ?? '', fetchedAt)) ? 'unchanged' : 'older';
      case 'found':
        return records.save({ ...answer.entity, id, fetchedAt });
    }
  }
}

@Controller('syncs')
export class SyncsController extends JobEndpoint {
  protected readonly job = { path: '/tasks/sync-data', fields: FIELDS, check: readEntityId };
}

/** Also a whole number, as many sources have them. */
function readEntityId(fields: Fields): string {
  const expected = "an id of 1 to 200 letters, digits and -_.~:@, such as 'customer-42'";
  const json = fields.json('entity_id');
  if (json === undefined) unexpected('entity_id', expected, 'nothing');
  if (/^\d{1,200}$/.test(json)) return json;
  if (!json.startsWith('"')) unexpected('entity_id', expected, describeJson(json));
  const id = JSON.parse(json) as string;
  // A part of a path: it must be no other part, and no more than one.
  if (!/^(?!\.{1,2}$)[\w.~:@-]{1,200}$/.test(id)) {
    unexpected('entity_id', expected, `'${printable(id)}'`);
  }
  return id;
}

function missing(setting: string, what: string): CloudTasksError {
  return new CloudTasksError('FAILED_PRECONDITION', `Sync needs ${what}: set ${setting}.`, {
    field: setting,
  });
}

/** Enqueues callbacks, each once: what delivers them is a task of its own, which survives a crash. */
import { Injectable } from '@nestjs/common';
import { AppAddress } from '../cloud-tasks/app-address.js';
import { DelayedCalls } from '../tasks/calls/delayed-calls.js';
import type { Tasks } from '../tasks/tasks.js';
import { CallbackController } from './callback.controller.js';
import { callbackEvent } from './callback-event.js';
import type { CalledBack } from './relay-call.js';
import { RelaySettings } from './relay-options.js';
import type { EndedRelay } from './relay-records.js';
import { RelayRecords } from './relay-records.js';

@Injectable()
export class Callbacks {
  private readonly tasks: Tasks<CallbackController>;

  constructor(
    calls: DelayedCalls,
    private readonly records: RelayRecords,
    private readonly address: AppAddress,
    private readonly settings: RelaySettings,
  ) {
    this.tasks = calls.of(CallbackController);
  }

  /**
   * Its name follows from the call, so that a repeated one makes no second task.
   *
   * @throws CloudTasksError
   */
  async enqueue(
    run: { readonly id: string; readonly redrive: number; readonly call: CalledBack },
    ended: EndedRelay,
  ): Promise<void> {
    const { id, redrive, call } = run;
    const { callbackUrl: url } = call;
    if (url === undefined || (await this.records.isReported(id, redrive))) return;
    const base = this.settings.publicUrl ?? (await this.address.url());
    const event = callbackEvent(run, ended, `${base}/relay/${id}`);
    const name = redrive === 0 ? id : `${id}-${redrive}`;
    await this.tasks.deliver
      .options({ taskId: `${name}-callback`, onDuplicate: 'ignore' })
      .delay({ id: name, url, event });
    await this.records.noteReported(id, redrive);
  }
}

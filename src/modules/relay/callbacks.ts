/** Enqueues callbacks, each once: what delivers them is a task of its own, which survives a crash. */
import type { AppAddress } from '../cloud-tasks/app-address.js';
import type { Tasks } from '../tasks/tasks.js';
import type { CallbackController } from './callback.controller.js';
import { callbackEvent } from './callback-event.js';
import type { RelayCall } from './relay-call.js';
import type { EndedRelay, RelayRecords } from './relay-records.js';

export class Callbacks {
  constructor(
    private readonly tasks: Tasks<CallbackController>,
    private readonly records: RelayRecords,
    private readonly address: AppAddress,
    private readonly publicUrl: string | undefined,
  ) {}

  /**
   * Its name follows from the call, so that a repeated one makes no second task.
   *
   * @throws CloudTasksError
   */
  async enqueue(
    run: { readonly id: string; readonly redrive: number; readonly call: RelayCall },
    ended: EndedRelay,
  ): Promise<void> {
    const { id, redrive, call } = run;
    const { callbackUrl: url } = call;
    if (url === undefined || (await this.records.isReported(id, redrive))) return;
    const base = this.publicUrl ?? (await this.address.url());
    const event = callbackEvent(run, ended, `${base}/relay/${id}`);
    const name = redrive === 0 ? id : `${id}-${redrive}`;
    await this.tasks.deliver
      .options({ taskId: `${name}-callback`, onDuplicate: 'ignore' })
      .delay({ id: name, url, event });
    await this.records.noteReported(id, redrive);
  }
}

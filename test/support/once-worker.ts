/**
 * A worker process with one handler whose work is to be done once. What happens is appended to a
 * file, a line each: `began <work> <fence>`, `effect <work> <fence>`.
 *
 *   node --import ./test/support/run-typescript.mjs test/support/once-worker.ts \
 *     <store> <engine's url> <port> <file>
 */
import 'reflect-metadata';
import { Body, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { closeSync, openSync, writeSync } from 'node:fs';
import { TaskContext } from '../../src/modules/tasks/task-context.js';
import { Task, TaskController, TaskInfo } from '../../src/modules/tasks/task-decorators.js';
import { TasksModule } from '../../src/modules/tasks/tasks.module.js';

const [store = '', engine = '', port = '', file = ''] = process.argv.slice(2);
const happened = openSync(file, 'a');
/** One write of one line: whole, whoever else writes, and whatever ends this process. */
const say = (line: string) => writeSync(happened, `${line}\n`);

/** Also after this process was killed and started again. */
function isFirst(work: number): boolean {
  try {
    closeSync(openSync(`${file}-${work}`, 'wx'));
    return true;
  } catch {
    return false;
  }
}

@TaskController('once')
class Once {
  @Task('effect', { idempotency: { lease: '1s' } })
  async effect(
    @Body() { work, turns, hold }: { work: number; turns: number; hold: boolean },
    @TaskInfo() { fence }: TaskContext,
  ): Promise<void> {
    // Before it is said, after which the kill may come at any time.
    const isHeld = hold && isFirst(work);
    say(`began ${work} ${String(fence)}`);
    // Until the kill; whoever takes over goes on.
    if (isHeld) await new Promise(() => undefined);
    // Others get their turn, or the kill its chance.
    for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
    say(`effect ${work} ${String(fence)}`);
  }
}

const url = `http://127.0.0.1:${port}`;

@Module({
  imports: [
    TasksModule.forRoot({
      backend: 'google',
      emulatorHost: new URL(engine).host,
      project: 'local',
      serviceUrl: url,
      serviceAccount: 'tasks@local',
      // One engine has tasks for both workers.
      auth: { mode: 'oidc', issuer: engine, audience: 'once' },
      store,
    }),
    TasksModule.forFeature([Once]),
  ],
  controllers: [Once],
})
class WorkerModule {}

const app = await NestFactory.create(WorkerModule, { logger: ['error'] });
await app.listen(Number(port), '127.0.0.1');
writeSync(1, 'listening\n');

/** The example that the documentation shows, as it stands there, from `.delay` to the handler. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { Body, Controller, Module, Post, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IsEmail, IsString } from 'class-validator';
import {
  InjectTasks,
  Task,
  TaskContext,
  TaskController,
  TaskInfo,
  Tasks,
  TasksModule,
} from '../../../src/index.js';
import { EMBEDDED, RecordedLog, closeApps } from '../../support/tasks-app.js';

const received = Promise.withResolvers<{ email: SendEmail; task: TaskContext }>();

class SendEmail {
  @IsEmail() to!: string;
  @IsString() subject!: string;
  @IsString() body!: string;
}

@TaskController('tasks', { queue: 'email-queue' })
export class EmailTasks {
  @Task('send-email', { dispatchDeadline: '30s' })
  async send(@Body() email: SendEmail, @TaskInfo() task: TaskContext): Promise<void> {
    received.resolve({ email, task });
  }
}

@Controller('emails')
export class EmailsController {
  constructor(@InjectTasks(EmailTasks) private readonly tasks: Tasks<EmailTasks>) {}

  @Post() create(@Body() email: SendEmail) {
    return this.tasks.send.delay(email);
  }
}

@Module({
  imports: [TasksModule.forRoot(EMBEDDED), TasksModule.forFeature([EmailTasks])],
  controllers: [EmailTasks, EmailsController],
})
class AppModule {}

afterEach(closeApps);

describe('the example of the documentation', () => {
  test('enqueues by an ordinary endpoint, and the handler runs with its arguments', async () => {
    const app = await NestFactory.create(AppModule, {
      logger: new RecordedLog(),
      abortOnError: false,
    });
    app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true }));
    await app.listen(0, '127.0.0.1');
    try {
      const email = { to: 'ada@example.com', subject: 'Grüße ✓', body: 'Hello' };
      const answer = await fetch(`${await app.getUrl()}/emails`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(email),
      });
      expect(answer.status).toBe(201);
      const ref = (await answer.json()) as Record<string, unknown>;
      expect(ref).toEqual({
        name: expect.stringMatching(
          /^projects\/local\/locations\/us-central1\/queues\/email-queue\/tasks\/\d+$/,
        ),
        queue: 'email-queue',
        taskId: expect.stringMatching(/^\d+$/),
        scheduleTime: expect.stringMatching(/^\d{4}-.*Z$/),
      });

      const { email: arrived, task } = await received.promise;
      expect(arrived).toBeInstanceOf(SendEmail);
      expect(arrived).toEqual(email);
      expect(task).toBeInstanceOf(TaskContext);
      expect(task).toMatchObject({
        queue: 'email-queue',
        taskId: ref['taskId'],
        retryCount: 0,
        executionCount: 0,
        previousResponse: undefined,
        retryReason: undefined,
      });
      expect(Object.isFrozen(task)).toBe(true);
      expect(task.signal.aborted).toBe(false);
      expect(Math.abs(task.scheduledAt.getTime() - Date.now())).toBeLessThan(10_000);
    } finally {
      await app.close();
    }
  });
});

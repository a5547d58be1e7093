/** Two kinds of work, each with a queue of its own: one at once, one at its own slow pace. */
import 'reflect-metadata';
import { Body, Controller, HttpCode, Logger, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectTasks, Task, TaskController, Tasks, TasksModule } from 'nest-cloud-tasks';

@TaskController('tasks')
class MailTasks {
  private readonly logger = new Logger('Mail');

  @Task('code', { queue: 'codes', dispatchDeadline: '15s' })
  async code(@Body('to') to: string): Promise<void> {
    this.logger.log(`Code to ${to}`);
  }

  @Task('newsletter', { queue: 'newsletter' })
  async newsletter(@Body('to') to: string): Promise<void> {
    this.logger.log(`Newsletter to ${to}`);
  }
}

@Controller()
class MailController {
  constructor(@InjectTasks(MailTasks) private readonly tasks: Tasks<MailTasks>) {}

  @Post('codes')
  @HttpCode(202)
  code(@Body('to') to: string) {
    return this.tasks.code.delay(to);
  }

  @Post('newsletters')
  @HttpCode(202)
  newsletter(@Body('to') readers: string[]) {
    return Promise.all(readers.map((to) => this.tasks.newsletter.delay(to)));
  }
}

@Module({
  imports: [
    TasksModule.forRoot({
      backend: 'embedded',
      queuesFile: 'queues.yaml',
      engine: { port: Number(process.env.ENGINE_PORT ?? 8123) },
    }),
    TasksModule.forFeature([MailTasks]),
  ],
  controllers: [MailTasks, MailController],
})
class AppModule {}

const app = await NestFactory.create(AppModule);
app.enableShutdownHooks();
await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
console.log(`Listening on ${await app.getUrl()}`);

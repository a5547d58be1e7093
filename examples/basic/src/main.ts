/** An endpoint that answers at once, and an e-mail that is sent by and by. */
import 'reflect-metadata';
import { Body, Controller, HttpCode, Logger, Module, Post, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IsEmail, IsString } from 'class-validator';
import { InjectTasks, Task, TaskContext, TaskController, TaskInfo } from 'nest-cloud-tasks';
import { Tasks, TasksModule } from 'nest-cloud-tasks';

class SendEmail {
  @IsEmail() to: string;
  @IsString() subject: string;
}

@TaskController('tasks', { queue: 'email-queue' })
class EmailTasks {
  private readonly logger = new Logger('Email');

  @Task('send-email')
  async send(@Body() email: SendEmail, @TaskInfo() task: TaskContext): Promise<void> {
    this.logger.log(`To ${email.to}: ${email.subject} (attempt ${task.retryCount + 1})`);
  }
}

@Controller('emails')
class EmailsController {
  constructor(@InjectTasks(EmailTasks) private readonly tasks: Tasks<EmailTasks>) {}

  @Post()
  @HttpCode(202)
  create(@Body() email: SendEmail) {
    return this.tasks.send.delay(email);
  }
}

@Module({
  imports: [
    TasksModule.forRoot({
      backend: 'embedded',
      engine: { port: Number(process.env.ENGINE_PORT ?? 8123) },
    }),
    TasksModule.forFeature([EmailTasks]),
  ],
  controllers: [EmailTasks, EmailsController],
})
class AppModule {}

const app = await NestFactory.create(AppModule);
app.useGlobalPipes(new ValidationPipe());
app.enableShutdownHooks();
await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
console.log(`Listening on ${await app.getUrl()}`);

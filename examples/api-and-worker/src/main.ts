/**
 * One app in two processes, as on Cloud Run: the API creates tasks, the worker carries them out
 * and lets in only who brings a token of the right account for its own address.
 */
import 'reflect-metadata';
import { Body, Controller, HttpCode, Logger, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectTasks, Task, TaskController, Tasks, TasksModule } from 'nest-cloud-tasks';

@TaskController('tasks', { queue: 'reports' })
class ReportTasks {
  private readonly logger = new Logger('Report');

  @Task('make')
  async make(@Body() report: { title: string }): Promise<void> {
    this.logger.log(`Made ${report.title} in process ${process.pid}`);
  }
}

@Controller('reports')
class ReportsController {
  constructor(@InjectTasks(ReportTasks) private readonly tasks: Tasks<ReportTasks>) {}

  @Post()
  @HttpCode(202)
  create(@Body() report: { title: string }) {
    return this.tasks.make.delay(report);
  }
}

/** The queue server of this machine; absent, Google's. */
const emulatorHost = process.env.CLOUD_TASKS_EMULATOR_HOST;

@Module({
  imports: [
    TasksModule.forRoot({
      backend: 'google',
      project: process.env.PROJECT_ID ?? 'local',
      emulatorHost,
      // The worker's address, in both processes.
      serviceUrl: process.env.SERVICE_URL,
      serviceAccount: process.env.SERVICE_ACCOUNT ?? 'tasks@local',
      auth: { mode: 'oidc', ...(emulatorHost && { issuer: `http://${emulatorHost}` }) },
    }),
    TasksModule.forFeature([ReportTasks]),
  ],
  // Both processes have both: `.delay()` reads the path off the route.
  controllers: [ReportTasks, ReportsController],
})
class AppModule {}

const app = await NestFactory.create(AppModule);
app.enableShutdownHooks();
await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
console.log(`Listening on ${await app.getUrl()}, process ${process.pid}`);

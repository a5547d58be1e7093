/** The module that a Nest app imports: options once, handlers wherever they are called from. */
import type {
  ConfigurableModuleAsyncOptions,
  DynamicModule,
  OnModuleInit,
  Type,
} from '@nestjs/common';
import { ConfigurableModuleBuilder, Global, Logger, Module } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, ModuleRef } from '@nestjs/core';
import { AuthModule } from '../auth/auth.module.js';
import type { AuthOptions } from '../auth/auth-options.js';
import { TaskAuthenticator } from '../auth/task-authenticator.js';
import { CloudTasksModule } from '../cloud-tasks/cloud-tasks.module.js';
import { QueueBackend } from '../cloud-tasks/queue-backend.js';
import { Payloads } from '../payloads/payloads.js';
import { PayloadsModule } from '../payloads/payloads.module.js';
import { JournalModule } from '../journal/journal.module.js';
import { DeadLettersModule } from '../dead-letters/dead-letters.module.js';
import { AttemptOutcomes } from './attempts/attempt-outcomes.js';
import { ManySender } from './calls/delay-many.js';
import { DelayedCalls } from './calls/delayed-calls.js';
import { ExistingTasks } from './calls/existing-tasks.js';
import { HandlerAddress } from './calls/handler-address.js';
import { HandlerCalls } from './routes/handler-call.js';
import { HookOutcomes } from './hooks/hook-outcomes.js';
import { HookRunner } from './hooks/hook-runner.js';
import { HandlerRoutes } from './routes/handler-routes.js';
import { HandlerDelivery } from './attempts/handler-delivery.js';
import { HandlerRuns } from './attempts/handler-runs.js';
import { OutcomeRecorder } from './attempts/outcome-recorder.js';
import { TaskStatuses } from './attempts/task-statuses.js';
import { HandlerTarget } from './calls/handler-target.js';
import { HandlerTasks } from './calls/handler-tasks.js';
import { checkSealedBodies } from './attempts/sealed-bodies.js';
import { readTaskBodies } from './attempts/task-bodies.js';
import { tasksToken } from './task-decorators.js';
import { SCHEDULES, schedulesOf } from './routes/schedule-marks.js';
import type { ControllerClass } from './routes/task-metadata.js';
import { handlersOf } from './routes/task-metadata.js';
import { TaskFitting } from './calls/task-fitting.js';
import { PlainTarget } from './calls/plain-target.js';
import { TaskProducer } from './calls/task-producer.js';
import { answerUnknownPaths } from './attempts/unknown-paths.js';
import { TaskSender } from './calls/task-sender.js';
import { followTraces } from './hooks/trace-context.js';
import type { TasksModuleOptions } from './module-options.js';
import { TasksSettings } from './module-options.js';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<TasksModuleOptions>().setClassMethodName('forRoot').build();

@Module({
  providers: [
    {
      provide: TasksSettings,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: (options: TasksModuleOptions) => new TasksSettings(options),
    },
    HandlerAddress,
  ],
  exports: [TasksSettings, HandlerAddress],
})
class TasksSettingsModule extends ConfigurableModuleClass {}

@Global()
@Module({
  imports: [DiscoveryModule],
  providers: [
    HandlerRoutes,
    HandlerDelivery,
    HandlerRuns,
    OutcomeRecorder,
    TaskStatuses,
    HandlerTarget,
    HandlerCalls,
    PlainTarget,
    TaskProducer,
    TaskFitting,
    HookRunner,
    HookOutcomes,
    AttemptOutcomes,
    TaskSender,
    HandlerTasks,
    ManySender,
    ExistingTasks,
    DelayedCalls,
  ],
  exports: [
    HandlerRoutes,
    HookRunner,
    AttemptOutcomes,
    HandlerDelivery,
    OutcomeRecorder,
    TaskStatuses,
    HandlerTarget,
    HandlerTasks,
    ExistingTasks,
    DelayedCalls,
    TaskProducer,
  ],
})
class TasksCoreModule implements OnModuleInit {
  private readonly logger = new Logger('Tasks');

  constructor(
    private readonly routes: HandlerRoutes,
    private readonly calls: DelayedCalls,
    private readonly backend: QueueBackend,
    private readonly authenticator: TaskAuthenticator,
    private readonly payloads: Payloads,
    private readonly hooks: HookRunner,
    private readonly outcomes: AttemptOutcomes,
    private readonly discovery: DiscoveryService,
    private readonly modules: ModuleRef,
  ) {}

  /** @throws Error naming every handler that can't work */
  async onModuleInit(): Promise<void> {
    const queues = this.routes.queues();
    const paths = [...this.routes.read().values()].map(({ route }) => route.path);
    this.authenticator.guards(queues, paths);
    const express = this.routes.express();
    if (express) {
      this.calls.checkRegistered();
      this.hooks.check(this.routes.read().values());
      checkSealedBodies(express, this.authenticator);
      readTaskBodies(express, this.authenticator, this.payloads, this.outcomes, {
        versionsShareAPath: this.routes.versionsShareAPath,
        rulesOf: (mark) => this.routes.rulesOf(mark),
      });
      answerUnknownPaths(
        express,
        this.authenticator,
        this.outcomes,
        this.routes.defaultMaxAttempts,
      );
      followTraces(express);
    }
    if (express) this.checkSchedules();
    await this.backend.ensureQueues(queues);
  }

  /** @throws Error for a schedule in code that nobody would carry out */
  private checkSchedules(): void {
    if (hasProvider(this.modules, SCHEDULES)) return;
    if (this.backend.plannedSchedules.length > 0) {
      this.logger.warn('The schedules of the file have no ticks here: import SchedulesModule.');
    }
    const controllers = this.discovery.getControllers().map(({ metatype }) => metatype);
    const [first] = controllers.flatMap((controller) =>
      controller ? schedulesOf(controller as ControllerClass) : [],
    );
    if (!first) return;
    const handler = `${first.controller.name}.${first.method}`;
    throw new Error(`@Schedule of ${handler} has no ticks: import SchedulesModule in the app.`);
  }
}

@Module({})
export class TasksModule {
  /** Once, in the app's root module. */
  static forRoot(options: TasksModuleOptions): DynamicModule {
    return withSettings(TasksSettingsModule.forRoot(options));
  }

  /** Like `forRoot`, with options that a factory makes: of what `ConfigService` has read, say. */
  static forRootAsync(options: ConfigurableModuleAsyncOptions<TasksModuleOptions>): DynamicModule {
    return withSettings(TasksSettingsModule.forRootAsync(options));
  }

  /** Makes the delayed calls of these controllers injectable in the module that imports this. */
  static forFeature(controllers: readonly Type<object>[]): DynamicModule {
    const providers = controllers.map((controller) => {
      if (handlersOf(controller).size === 0) {
        throw new Error(
          `TasksModule.forFeature: ${controller.name} has no @Task and no @Delayable.`,
        );
      }
      return {
        provide: tasksToken(controller),
        inject: [DelayedCalls],
        useFactory: (calls: DelayedCalls) => calls.of(controller),
      };
    });
    return {
      module: TasksModule,
      providers,
      exports: providers.map(({ provide }) => provide),
    };
  }
}

function hasProvider(modules: ModuleRef, token: symbol): boolean {
  try {
    modules.get<unknown>(token, { strict: false });
    return true;
  } catch {
    return false;
  }
}

function withSettings(settings: DynamicModule): DynamicModule {
  const core: DynamicModule = {
    module: TasksCoreModule,
    imports: [
      settings,
      CloudTasksModule.forRootAsync({
        imports: [settings],
        inject: [TasksSettings],
        useFactory: ({ cloudTasks }: TasksSettings) => cloudTasks,
      }),
      PayloadsModule.forRootAsync({
        imports: [settings],
        inject: [TasksSettings],
        useFactory: ({ payloads }: TasksSettings) => ({ store: payloads }),
      }),
      DeadLettersModule,
      JournalModule.forRootAsync({
        imports: [settings],
        inject: [TasksSettings],
        useFactory: ({ journal }: TasksSettings) => journal,
      }),
      AuthModule.forRootAsync({
        imports: [settings],
        inject: [TasksSettings, HandlerAddress],
        useFactory: ({ auth }: TasksSettings, address: HandlerAddress): AuthOptions => ({
          ...auth,
          audience: () => address.audience(),
          serviceUrl: () => address.serviceUrl(),
          isOwn: (url) => address.isOwn(url),
        }),
      }),
    ],
  };
  return { module: TasksModule, imports: [core] };
}

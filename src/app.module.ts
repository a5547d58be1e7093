/** The deployable app: which modules it is made of, and which options each gets of the settings. */
import type { MiddlewareConsumer, NestModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';
import type { Settings } from './config.js';
import { settings } from './config.js';
import { ErrorFilter } from './app/error-filter.js';
import { outboundOptions } from './app/outbound-options.js';
import { wantedQueues } from './host/wanted-queues.js';
import { verifiedRequest } from './modules/auth/task-guard.js';
import { HealthModule } from './modules/health/health.module.js';
import { JobsModule } from './modules/jobs/jobs.module.js';
import { OutboundModule } from './modules/outbound/outbound.module.js';
import { ProducerModule } from './modules/producer/producer.module.js';
import type { ProducerOptions } from './modules/producer/producer-options.js';
import { RelayEndpointsModule, RelayModule } from './modules/relay/relay.module.js';
import type { RelayModuleOptions } from './modules/relay/relay-options.js';
import { SchedulesModule } from './modules/schedules/schedules.module.js';
import { TasksModule } from './modules/tasks/tasks.module.js';
import type { TasksModuleOptions } from './modules/tasks/module-options.js';
import { RoleGuard } from './app/role-guard.js';

const requests = new AsyncLocalStorage<IncomingMessage>();

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true, load: [settings] }),
    TasksModule.forRootAsync({ inject: [settings.KEY], useFactory: tasksOptions }),
    OutboundModule.forRootAsync({ inject: [settings.KEY], useFactory: outboundOptions }),
    ProducerModule.forRootAsync({ inject: [settings.KEY], useFactory: producerOptions }),
    RelayModule.forRootAsync({ inject: [settings.KEY], useFactory: relayOptions }),
    RelayEndpointsModule,
    JobsModule.forRootAsync({ inject: [settings.KEY], useFactory: ({ jobs }: Settings) => jobs }),
    SchedulesModule,
    HealthModule,
  ],
  providers: [
    { provide: APP_FILTER, useClass: ErrorFilter },
    {
      provide: APP_GUARD,
      inject: [settings.KEY],
      useFactory: ({ role }: Settings) => new RoleGuard(role),
    },
  ],
})
export class AppModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer
      .apply((request: IncomingMessage, _response: unknown, next: () => void) =>
        requests.run(request, next),
      )
      .forRoutes('*path');
  }
}

/** Which task the code that runs now is about, for its log lines. */
export function currentTask(): { task?: string; queue?: string } {
  const request = requests.getStore();
  const verified = request && verifiedRequest(request);
  if (!verified) return {};
  const [task] = request.headersDistinct[`${verified.headers}-taskname`] ?? [];
  const [queue] = request.headersDistinct[`${verified.headers}-queuename`] ?? [];
  return { ...(task === undefined ? {} : { task }), ...(queue === undefined ? {} : { queue }) };
}

function tasksOptions(app: Settings): TasksModuleOptions {
  const { backend, auth } = app;
  return {
    backend: backend.kind,
    project: app.projectId,
    location: app.location,
    queue: app.queueName,
    serviceUrl: app.serviceUrl,
    serviceAccount: app.serviceAccount,
    auth,
    store: app.store,
    payloadStore: app.payloadStore,
    queuesFile: app.queuesFile,
    ...(backend.kind === 'google'
      ? { emulatorHost: backend.emulatorHost }
      : {
          engine: {
            dataDir: backend.dataDir,
            host: backend.host,
            port: backend.port,
            secret: backend.secret,
            issuer: auth.issuer,
            thread: backend.thread,
          },
          appEngineHosts: backend.appEngineHosts,
        }),
  };
}

function relayOptions({ relay, serviceUrl }: Settings): RelayModuleOptions {
  return { ...relay, publicUrl: serviceUrl };
}

async function producerOptions(app: Settings): Promise<ProducerOptions> {
  const queues = await openQueues(app);
  const noAppEngineTasks = whyNoAppEngineTasks(app);
  return {
    queue: app.queueName,
    auth: app.producer,
    externalAccount: app.external.serviceAccount,
    ...(queues ? { queues } : {}),
    ...(noAppEngineTasks === undefined ? {} : { noAppEngineTasks }),
  };
}

/** On Google a project has other people's queues too; embedded, all are this app's. */
async function openQueues({
  auth,
  backend,
  queueName,
  queuesFile,
}: Settings): Promise<ProducerOptions['queues']> {
  if (auth.queues) return { ids: auth.queues, andHandlers: false };
  if (backend.kind === 'embedded') return undefined;
  const plan = await wantedQueues({ queuesFile });
  const planned = plan?.queues.map(({ id }) => id) ?? [];
  return { ids: [queueName, ...planned], andHandlers: true };
}

/** App Engine tasks carry no token: only the engine's signature or App Engine itself proves them. */
function whyNoAppEngineTasks({ auth, backend }: Settings): string | undefined {
  if (auth.mode === 'local' || auth.mode === 'appengine') return undefined;
  // They go to another app, whatever the mode is here.
  if (backend.kind === 'embedded' && backend.appEngineHosts['default'] !== undefined) {
    return undefined;
  }
  return `handlers of this app take only tasks with a token, AUTH_MODE being '${auth.mode}'`;
}

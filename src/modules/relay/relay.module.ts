/** Mounts the relay: its handler, the delivery of callbacks, and what an app's own code calls. */
import type {
  BeforeApplicationShutdown,
  ConfigurableModuleAsyncOptions,
  DynamicModule,
  OnModuleDestroy,
} from '@nestjs/common';
import { ConfigurableModuleBuilder, Global, Module } from '@nestjs/common';
import type { Clock } from '../../engine/ports.js';
import { SECOND } from '../../engine/time.js';
import { OutboundClient } from '../../outbound/outbound-client.js';
import { OutboundPolicy } from '../../outbound/outbound-policy.js';
import { platformOf } from '../../foundation/platform.js';
import { CLOCK, QueueBackend } from '../cloud-tasks/queue-backend.js';
import { ExclusiveRuns } from '../journal/exclusive-runs.js';
import { OutboundModule } from '../outbound/outbound.module.js';
import { CallLimits } from './call-limits.js';
import { CallbackController } from './callback.controller.js';
import { Callbacks } from './callbacks.js';
import { IdTokens } from './id-tokens.js';
import { Relay } from './relay.js';
import { RelayAttempts } from './relay-attempts.js';
import { RelayCancel } from './relay-cancel.js';
import { RelayEndpointsController } from './relay-endpoints.controller.js';
import { RelayController } from './relay.controller.js';
import type { RelayModuleOptions } from './relay-options.js';
import { RelaySettings } from './relay-options.js';
import { RelayRecords } from './relay-records.js';
import { RelayRuns } from './relay-runs.js';
import { RelayStatuses } from './relay-status.js';
import { UpstreamCalls } from './upstream-calls.js';

/** App Engine kills an instance 2 s after it asked it to end, Cloud Run 10 s. */
const GRACE_ON_APP_ENGINE = SECOND;
const GRACE = 4 * SECOND;

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<RelayModuleOptions>().setClassMethodName('forRoot').build();

/** Other modules inject `Relay`. */
@Global()
@Module({
  controllers: [RelayController, CallbackController],
  providers: [
    {
      provide: RelaySettings,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: (options: RelayModuleOptions) => new RelaySettings(options),
    },
    RelayRecords,
    Callbacks,
    RelayStatuses,
    RelayCancel,
    Relay,
    {
      provide: IdTokens,
      inject: [RelaySettings, QueueBackend, CLOCK],
      useFactory: (
        { credentials, serviceAccount }: RelaySettings,
        backend: QueueBackend,
        clock: Clock,
      ) =>
        new IdTokens(
          credentials ?? { kind: backend.kind === 'embedded' ? 'engine' : 'default' },
          backend,
          clock,
          { serviceAccount },
        ),
    },
    {
      provide: RelayRuns,
      inject: [
        ...[RelaySettings, RelayRecords, OutboundPolicy, OutboundClient, IdTokens],
        ...[ExclusiveRuns, Callbacks, CLOCK],
      ],
      useFactory: (
        settings: RelaySettings,
        records: RelayRecords,
        policy: OutboundPolicy,
        client: OutboundClient,
        tokens: IdTokens,
        runs: ExclusiveRuns,
        callbacks: Callbacks,
        clock: Clock,
      ) => {
        const upstream = new UpstreamCalls(policy, client, tokens, settings.recordBytes, clock);
        const attempts = new RelayAttempts(records, upstream, clock);
        const limits = new CallLimits(settings.maxInflight);
        return new RelayRuns({
          ...{ runs, records, attempts, policy, limits, callbacks, settings, clock },
        });
      },
    },
  ],
  exports: [Relay, RelayStatuses],
})
export class RelayModule
  extends ConfigurableModuleClass
  implements OnModuleDestroy, BeforeApplicationShutdown
{
  private ending: Promise<void> | undefined;

  constructor(private readonly runs: RelayRuns) {
    super();
  }

  /** Beside `TasksModule`, once. With `rules` it brings an `OutboundModule` of these along. */
  static override forRoot(options: RelayModuleOptions): DynamicModule {
    const { rules, loopback } = options;
    const module = super.forRoot(options);
    if (rules === undefined) return module;
    const outbound = OutboundModule.forRoot({ rules, ...(loopback ? { loopback } : {}) });
    return { ...module, imports: [...(module.imports ?? []), outbound] };
  }

  /** Like `forRoot`, with options that a factory makes; the rules are those of an `OutboundModule`. */
  static override forRootAsync(
    options: ConfigurableModuleAsyncOptions<RelayModuleOptions>,
  ): DynamicModule {
    return super.forRootAsync(options);
  }

  /** Begins with the first step of the shutdown, since 2 seconds are soon over. */
  onModuleDestroy(): void {
    const onAppEngine = platformOf()?.startsWith('app-engine') ?? false;
    this.ending ??= this.runs.end(onAppEngine ? GRACE_ON_APP_ENGINE : GRACE);
  }

  /** Before the HTTP server is closed, which the calls in flight still answer through. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.ending;
  }
}

/** The endpoints for callers, beside a `RelayModule` and the `ProducerModule`, which lets them in. */
@Module({ controllers: [RelayEndpointsController] })
export class RelayEndpointsModule {}

/** Provides the one outbound policy, and the client that keeps to it, to every module that calls out. */
import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { ConfigurableModuleBuilder, Global, Module } from '@nestjs/common';
import type { Clock } from '../../engine/ports.js';
import { OutboundClient } from '../../outbound/outbound-client.js';
import { OutboundPolicy } from '../../outbound/outbound-policy.js';
import { WebhookCalls } from '../../outbound/webhook-call.js';
import { AppAddress } from '../cloud-tasks/app-address.js';
import { CLOCK, QueueBackend } from '../cloud-tasks/queue-backend.js';
import type { OutboundOptions } from './outbound-options.js';
import { OUTBOUND_OPTIONS } from './outbound-options.js';

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<OutboundOptions>({
  optionsInjectionToken: OUTBOUND_OPTIONS,
})
  .setClassMethodName('forRoot')
  .build();

/** Other modules inject `OutboundPolicy`, `OutboundClient` and `WebhookCalls`. */
@Global()
@Module({
  providers: [
    {
      provide: OutboundPolicy,
      inject: [OUTBOUND_OPTIONS, QueueBackend],
      useFactory: ({ handlers = [], ...options }: OutboundOptions, backend: QueueBackend) => {
        const engine = backend.kind === 'embedded' ? [backend.proof.jwksUrl] : [];
        return OutboundPolicy.read({ ...options, own: [...handlers, ...engine] });
      },
    },
    {
      provide: OutboundClient,
      inject: [OutboundPolicy, CLOCK],
      useFactory: (policy: OutboundPolicy, clock: Clock) => new OutboundClient(policy, clock),
    },
    {
      provide: WebhookCalls,
      inject: [OutboundPolicy, OutboundClient, CLOCK],
      useFactory: (policy: OutboundPolicy, client: OutboundClient, clock: Clock) =>
        new WebhookCalls(policy, client, clock),
    },
  ],
  exports: [OutboundPolicy, OutboundClient, WebhookCalls],
})
export class OutboundModule
  extends ConfigurableModuleClass
  implements OnModuleInit, OnApplicationShutdown
{
  constructor(
    private readonly policy: OutboundPolicy,
    private readonly client: OutboundClient,
    private readonly address: AppAddress,
  ) {
    super();
  }

  onModuleInit(): void {
    // Known once the app listens; before that nobody can call it either.
    this.address.url().then(
      (url) => this.policy.addOwn(url),
      () => undefined,
    );
  }

  async onApplicationShutdown(): Promise<void> {
    await this.client.close();
  }
}

/** Provides the payloads that are kept apart from their tasks. */
import { ConfigurableModuleBuilder, Global, Module } from '@nestjs/common';
import { PAYLOAD_SETTINGS } from './payload-options.js';
import type { PayloadSettings } from './payload-options.js';
import { Payloads } from './payloads.js';

export interface PayloadsOptions {
  /** Undefined: no store, so a task that is too large is refused. */
  readonly store: PayloadSettings | undefined;
}

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<PayloadsOptions>().setClassMethodName('forRoot').build();

@Global()
@Module({
  providers: [
    {
      provide: PAYLOAD_SETTINGS,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: ({ store }: PayloadsOptions) => store,
    },
    Payloads,
  ],
  exports: [Payloads],
})
export class PayloadsModule extends ConfigurableModuleClass {}

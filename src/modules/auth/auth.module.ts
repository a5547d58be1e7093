/** Provides what tells verified tasks from everything else. */
import { ConfigurableModuleBuilder, Global, Module } from '@nestjs/common';
import type { AuthOptions } from './auth-options.js';
import { AUTH_OPTIONS } from './auth-options.js';
import { TaskAuthenticator } from './task-authenticator.js';

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<AuthOptions>({
  optionsInjectionToken: AUTH_OPTIONS,
})
  .setClassMethodName('forRoot')
  .build();

/** Global, since guards are made in the module of the controller that they guard. */
@Global()
@Module({ providers: [TaskAuthenticator], exports: [TaskAuthenticator] })
export class AuthModule extends ConfigurableModuleClass {}

/** Provides what tells verified tasks from everything else. */
import { ConfigurableModuleBuilder, Global, Module } from '@nestjs/common';
import type { AuthOptions } from './auth-options.js';
import { AUTH_OPTIONS } from './auth-options.js';
import { TASK_SEAL } from '../cloud-tasks/queue-backend.js';
import { TaskAuthenticator } from './task-authenticator.js';
import { TaskSeals } from './task-seals.js';

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<AuthOptions>({
  optionsInjectionToken: AUTH_OPTIONS,
})
  .setClassMethodName('forRoot')
  .build();

/** Global, since guards are made in the module of the controller that they guard. */
@Global()
@Module({
  providers: [TaskAuthenticator, TaskSeals, { provide: TASK_SEAL, useExisting: TaskSeals }],
  exports: [TaskAuthenticator, TaskSeals, TASK_SEAL],
})
export class AuthModule extends ConfigurableModuleClass {}

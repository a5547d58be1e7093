/** Where handlers are called, and the audience that says that a token is for them. */
import { Injectable } from '@nestjs/common';
import { AppAddress } from '../../cloud-tasks/app-address.js';
import { TasksSettings } from '../module-options.js';

@Injectable()
export class HandlerAddress {
  constructor(
    private readonly settings: TasksSettings,
    private readonly app: AppAddress,
  ) {}

  /** Waits, where that is the app's own address, until the app listens. */
  async serviceUrl(): Promise<string> {
    return this.settings.serviceUrl ?? (await this.app.url());
  }

  /** One for all tasks, so that the backend can use a token again. */
  async audience(): Promise<string> {
    return this.settings.auth.audience ?? (await this.serviceUrl());
  }
}

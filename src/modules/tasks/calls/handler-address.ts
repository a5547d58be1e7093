/** Where handlers are called, and the audience that says that a token is for them. */
import { Injectable } from '@nestjs/common';
import { isLoopback } from '../../../foundation/loopback.js';
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

  /** Whether a URL leads to our handlers. */
  async isOwn(url: URL): Promise<boolean> {
    const address = await this.possibleFor(url);
    if (address === undefined) return false;
    const own = new URL(address);
    const base = own.pathname.replace(/\/$/, '');
    return own.origin === url.origin && `${url.pathname}/`.startsWith(`${base}/`);
  }

  /** Asks for the app's own address, which may mean to wait, only where `url` may be that. */
  async possibleFor({ hostname }: URL): Promise<string | undefined> {
    const { serviceUrl } = this.settings;
    if (serviceUrl !== undefined || !isLoopback(hostname)) return serviceUrl;
    // A process without an HTTP server has none.
    return this.serviceUrl().catch(() => undefined);
  }

  /** One for all tasks, so that the backend can use a token again. */
  async audience(): Promise<string> {
    return this.settings.auth.audience ?? (await this.serviceUrl());
  }
}

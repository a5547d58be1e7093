/** Tells at which loopback address this very app listens, once it does. */
import type { BeforeApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Server } from 'node:http';
import { CloudTasksError } from '../../engine/errors.js';
import { reachable } from '../../foundation/loopback.js';

@Injectable()
export class AppAddress implements OnModuleInit, BeforeApplicationShutdown {
  private readonly listening = Promise.withResolvers<string>();

  constructor(private readonly host: HttpAdapterHost) {
    // Nobody has to ask for it.
    this.listening.promise.catch(() => undefined);
  }

  onModuleInit(): void {
    const server = this.server();
    if (!server) {
      this.reject('this process has no HTTP server, so the option serviceUrl must be set');
    } else if (server.listening) {
      this.resolve(server);
    } else {
      // The server's own event, not Nest's: supertest and serverless hosts listen without Nest.
      server.once('listening', () => this.resolve(server));
    }
  }

  beforeApplicationShutdown(): void {
    this.reject('the app was closed before it listened');
  }

  /**
   * Waits until the app listens.
   *
   * @returns `http://127.0.0.1:8080`, without a slash at the end
   * @throws CloudTasksError FAILED_PRECONDITION when it never will, or not on a port
   */
  url(): Promise<string> {
    return this.listening.promise;
  }

  private server(): Server | undefined {
    // Without an HTTP application, Nest's adapter is absent or an empty stand-in.
    const adapter = this.host.httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
    return adapter?.getHttpServer() as Server | undefined;
  }

  private resolve(server: Server): void {
    const address = server.address();
    if (address === null || typeof address === 'string') {
      this.reject('the app listens on no port, so the option serviceUrl must be set');
      return;
    }
    const scheme = 'setSecureContext' in server ? 'https' : 'http';
    this.listening.resolve(`${scheme}://${reachable(address.address)}:${address.port}`);
  }

  private reject(reason: string): void {
    this.listening.reject(
      new CloudTasksError('FAILED_PRECONDITION', `The handlers have no address: ${reason}.`, {
        field: 'serviceUrl',
      }),
    );
  }
}

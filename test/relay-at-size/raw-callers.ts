/** Many callers of a relay at once, each a plain socket: what they cost is not what is measured. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { TestIssuer } from '../support/test-issuer.js';

export interface DirectCall {
  /** The task's id. */
  readonly task: string;
  /** JSON. */
  readonly body: string;
}

/** Delivers tasks to a relay as the queue would, without one. */
export class RawCallers {
  private readonly sockets = new Set<Socket>();
  /** Statuses of those that were answered otherwise than well. */
  readonly refused: number[] = [];
  private readonly token: string;

  constructor(
    public url: URL,
    issuer: TestIssuer,
  ) {
    this.token = issuer.first.sign(issuer.claims(Math.floor(Date.now() / 1000)));
  }

  /** With which a request is a task's; it has to name itself besides. */
  headers(): Record<string, string> {
    return {
      authorization: `Bearer ${this.token}`,
      'content-type': 'application/json',
      'x-cloudtasks-queuename': 'default',
      'x-cloudtasks-taskretrycount': '0',
      'x-tasks-deadline': '1800000',
    };
  }

  /** @returns the status of its answer; 0 when the connection ended before */
  call({ task, body }: DirectCall): Promise<number> {
    const socket = connect({ port: Number(this.url.port), host: this.url.hostname });
    this.sockets.add(socket);
    let answer = '';
    socket.setEncoding('latin1').on('data', (part: string) => {
      answer += part;
      // The head is enough, and it comes with all the rest.
      if (answer.includes('\r\n\r\n')) socket.end();
    });
    socket.on('error', () => undefined);
    socket.write(
      [
        'POST /relay HTTP/1.1',
        `Host: ${this.url.host}`,
        ...Object.entries(this.headers()).map(([name, value]) => `${name}: ${value}`),
        `Content-Length: ${Buffer.byteLength(body)}`,
        `X-CloudTasks-TaskName: ${task}`,
        '',
        body,
      ].join('\r\n'),
    );
    return new Promise((resolve) => {
      socket.once('close', () => {
        this.sockets.delete(socket);
        const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
        if (status > 299) this.refused.push(status);
        resolve(status);
      });
    });
  }

  /** All that still wait leave at once. */
  leave(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

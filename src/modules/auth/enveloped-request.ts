/** Checks that a request is the very task that we signed, its body included. */
import type { IncomingMessage } from 'node:http';
import type { Instant } from '../../engine/time.js';
import type { Envelope } from './envelope.js';
import { ENVELOPE_HEADER, hashOf } from './envelope.js';
import { unauthenticated } from './refusal.js';

/** No task is larger. */
const MOST_BYTES = 1024 * 1024;

export interface ExpectedEnvelope {
  readonly envelope: Envelope;
  /** Which of its headers tell about the task. */
  readonly headers: 'x-cloudtasks' | 'x-appengine';
  /** Path that was asked for, as the task's creator knows it. */
  readonly path: string;
  readonly now: Instant;
}

/**
 * Takes in the body of a request whose signature is good, and puts it back for whoever reads it.
 *
 * @throws Refusal UNAUTHENTICATED
 */
export async function checkEnvelope(
  request: IncomingMessage & { readonly rawBody?: Buffer },
  { envelope, headers: kind, path, now }: ExpectedEnvelope,
): Promise<void> {
  const { headersDistinct, method = '' } = request;
  const single = (name: string): string | undefined => {
    const values = headersDistinct[name];
    return values?.length === 1 ? values[0] : undefined;
  };
  const queue = single(`${kind}-queuename`) ?? '';
  const taskId = single(`${kind}-taskname`) ?? '';
  const headers = Object.entries(headersDistinct).flatMap(([name, values = []]) =>
    values.map((value) => [name, value] as const),
  );
  const sealed = single(ENVELOPE_HEADER.toLowerCase());
  const opened = envelope.open({ queue, taskId, method, path, headers }, sealed, now);
  if ('problem' in opened) throw unauthenticated(opened.problem);
  if (hashOf(await bodyOf(request)) !== opened.bodyHash) {
    throw unauthenticated(`the ${ENVELOPE_HEADER} is of another body`);
  }
}

async function bodyOf(request: IncomingMessage & { readonly rawBody?: Buffer }): Promise<Buffer> {
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
  // Its end is left for whoever reads it.
  if (coding === undefined && Number(length ?? 0) === 0) return Buffer.alloc(0);
  if (request.rawBody) return request.rawBody;
  if (request.readableDidRead) throw unauthenticated('its body was read before it was checked');
  return peek(request);
}

/** The whole body, which is then there to be read as if nobody had. */
function peek(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    const stop = (settle: () => void) => {
      request.off('readable', look).off('close', breakOff);
      settle();
    };
    const look = () => {
      // Not asked for more than there is: that would make an empty stream tell of its end.
      while (request.readableLength > 0) {
        const chunk = request.read() as Buffer;
        chunks.push(chunk);
        size += chunk.length;
      }
      if (size > MOST_BYTES) {
        stop(() => reject(unauthenticated('its body is larger than that of any task')));
      } else if (request.complete) {
        const body = Buffer.concat(chunks);
        // At once: in the next tick the stream, empty now, would tell of its end.
        if (size > 0) request.unshift(body);
        stop(() => resolve(body));
      }
    };
    const breakOff = () => stop(() => reject(unauthenticated('its body broke off')));
    request.on('readable', look).on('close', breakOff);
    look();
  });
}

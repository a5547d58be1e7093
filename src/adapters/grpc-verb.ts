/** One method of a gRPC service: from the bytes of its request to the bytes of its answer. */
import { refusal } from '../engine/error-catalogue.js';

export interface GrpcVerb {
  /** Where gRPC finds it: `/google.cloud.tasks.v2.CloudTasks/GetQueue`. */
  readonly path: string;
  readonly run: (request: Uint8Array) => Promise<Buffer>;
}

export interface Decoder<Message> {
  decode(bytes: Uint8Array): Message;
}

export interface Encoder<Message> {
  encode(message: Message): { finish(): Uint8Array };
}

/** Makes the verbs of a service, `google.cloud.tasks.v2.CloudTasks` for one. */
export function verbsOf(service: string) {
  return <Request, Answer>(
    name: string,
    request: Decoder<Request>,
    answer: Encoder<Answer>,
    call: (request: Request) => Promise<Answer>,
  ): GrpcVerb => ({
    path: `/${service}/${name}`,
    run: async (bytes) => {
      const message = decoded(name, request, bytes);
      const { buffer, byteOffset, byteLength } = answer.encode(await call(message)).finish();
      return Buffer.from(buffer, byteOffset, byteLength);
    },
  });
}

function decoded<Message>(name: string, type: Decoder<Message>, bytes: Uint8Array): Message {
  try {
    return type.decode(bytes);
  } catch {
    throw refusal('NOT_A_MESSAGE', { type: `${name}Request` });
  }
}

/** Opens Google's client: where it connects to, and with which credentials. */
import type { CloudSchedulerClient } from '@google-cloud/scheduler';
import type { v2, v2beta3 } from '@google-cloud/tasks';
import { CloudTasksError, invalidArgument } from '../engine/errors.js';
import { toCloudTasksError } from './google-error.js';

export interface GoogleOptions {
  /**
   * A Cloud Tasks-compatible server to use instead of Google, without TLS and credentials:
   * `127.0.0.1:8123` or `http://127.0.0.1:8123`, as in CLOUD_TASKS_EMULATOR_HOST.
   */
  readonly emulatorHost?: string;
  /** REST in place of gRPC, where a network lets no HTTP/2 through. */
  readonly fallback?: boolean;
}

export async function openClient(options: GoogleOptions): Promise<v2.CloudTasksClient> {
  const given = await clientOptions(options);
  const { v2 } = await import('@google-cloud/tasks');
  return opened(new v2.CloudTasksClient(given));
}

/** For what v2 can't say. */
export async function openBetaClient(options: GoogleOptions): Promise<v2beta3.CloudTasksClient> {
  const given = await clientOptions(options);
  const { v2beta3 } = await import('@google-cloud/tasks');
  return opened(new v2beta3.CloudTasksClient(given));
}

export async function openSchedulerClient(options: GoogleOptions): Promise<CloudSchedulerClient> {
  const given = await clientOptions(options);
  const scheduler = await import('@google-cloud/scheduler');
  return opened(new scheduler.CloudSchedulerClient(given));
}

async function clientOptions({ emulatorHost, fallback = false }: GoogleOptions) {
  const address = emulatorHost === undefined ? undefined : parseAddress(emulatorHost);
  return {
    ...(address ? await emulatorOptions(address) : {}),
    ...(fallback ? { fallback } : {}),
  };
}

async function opened<Client extends { initialize(): Promise<unknown> }>(
  client: Client,
): Promise<Client> {
  try {
    // Left to the first call, a failure here would be an unhandled rejection besides that call's.
    await client.initialize();
  } catch (cause) {
    const { message } = toCloudTasksError(cause);
    throw new CloudTasksError('UNAUTHENTICATED', `Google's client can't start: ${message}`, {
      cause,
    });
  }
  return client;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

function parseAddress(text: string): Address {
  const [, host, port] = /^(?:http:\/\/)?(\[[\da-f:.]+\]|[\w.-]+):(\d{1,5})\/?$/i.exec(text) ?? [];
  if (host === undefined || !(Number(port) > 0 && Number(port) <= 65_535)) {
    throw invalidArgument(
      `emulatorHost must be host:port or http://host:port, such as 127.0.0.1:8123, got '${text}'.`,
      'emulatorHost',
    );
  }
  return { host, port: Number(port) };
}

async function emulatorOptions({ host, port }: Address) {
  const [{ credentials }, { PassThroughClient }] = await Promise.all([
    import('@grpc/grpc-js'),
    import('google-auth-library'),
  ]);
  return {
    apiEndpoint: host,
    port,
    // For REST; gRPC goes by the credentials.
    protocol: 'http',
    sslCreds: credentials.createInsecure(),
    // Without it the client would look for credentials, and warn of a metadata server it can't find.
    authClient: new PassThroughClient(),
    // An emulator is next door: a proxy for the way out would not find it.
    'grpc.enable_http_proxy': 0,
  };
}

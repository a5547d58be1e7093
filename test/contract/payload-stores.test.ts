import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPayloadStore } from '../../src/host/open-payload-store.js';
import { StorageServer } from '../support/storage-server.js';
import { describePayloadStore } from './payload-store.contract.js';

describePayloadStore('a folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'payloads-'));
  return {
    store: await openPayloadStore({ folder }),
    other: await openPayloadStore({ folder }),
    close: () => rm(folder, { recursive: true }),
  };
});

describePayloadStore("a bucket, by Google's client", async () => {
  const server = await StorageServer.listen('payloads');
  const place = { bucket: 'payloads', prefix: 'tasks', apiEndpoint: server.url };
  return {
    store: await openPayloadStore(place),
    other: await openPayloadStore(place),
    close: () => server.close(),
  };
});

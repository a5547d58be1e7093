/** Reads the option `store`: which store keeps the journal, and what follows where none is named. */
import { join } from 'node:path';
import { invalidArgument } from '../../engine/errors.js';
import type { StorePlace } from '../../foundation/store-url.js';
import { readStoreUrl, STORE_URL_EXPECTED } from '../../foundation/store-url.js';
import type { CloudTasksOptions } from '../cloud-tasks/cloud-tasks-options.js';

/** @throws CloudTasksError INVALID_ARGUMENT; never shows a password */
export function readStore(
  store: string | undefined,
  { backend, emulatorHost, engine }: CloudTasksOptions,
): StorePlace | undefined {
  if (store === undefined) {
    if (backend !== 'embedded') return undefined;
    const { dataDir = './.data' } = engine ?? {};
    // What keeps no tasks keeps no outcomes either.
    if (dataDir === ':memory:') return { kind: 'memory' };
    return { kind: 'sqlite', file: join(dataDir, 'journal.sqlite') };
  }
  const place = typeof store === 'string' ? readStoreUrl(store) : undefined;
  if (!place) refuse(STORE_URL_EXPECTED);
  const isLocal = place.kind === 'memory' || place.kind === 'sqlite';
  if (isLocal && backend === 'google' && emulatorHost === undefined) {
    refuse(
      "'redis://' or 'postgres://' with backend 'google', whose instances share no disk",
      `'${place.kind}:'`,
    );
  }
  return place;
}

/** What came may hold a password. */
function refuse(expected: string, came = 'another value (not shown)'): never {
  throw invalidArgument(`TasksModule: store: expected ${expected}, got ${came}.`, 'store');
}

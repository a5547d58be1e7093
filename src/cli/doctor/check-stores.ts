/** Looks whether the journal and the store of large payloads can be reached, and written to. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Settings } from '../../config.js';
import { openJournal } from '../../host/open-journal.js';
import { SystemClock } from '../../host/system-clock.js';
import { readStoreUrl } from '../../foundation/store-url.js';
import type { Section } from './examined.js';
import { onGoogle } from './examined.js';
import type { Finding } from './finding.js';
import { fail, ok, reasonOf, warn } from './finding.js';
import { folderFinding } from './folder.js';
import type { Google } from './google.js';
import { refusalOf } from './google.js';

const OBJECT_PERMISSIONS = ['create', 'get', 'list', 'delete'].map(
  (verb) => `storage.objects.${verb}`,
);

export const stores: Section = {
  title: 'Stores',
  needs: ['TASKS_BACKEND', 'STORE_URL', 'PAYLOAD_STORE'],
  applies: () => true,
  async *findings({ settings, google }) {
    yield await journal(settings);
    if (settings.payloadStore) yield await payloads(settings.payloadStore, google);
  },
};

async function journal(settings: Settings): Promise<Finding> {
  const about = 'STORE_URL';
  const { store, backend } = settings;
  if (store === undefined) {
    if (backend.kind === 'embedded') return ok(about, `journal.sqlite in ${backend.dataDir}`);
    if (!onGoogle({ settings })) return ok(about, 'none, so nothing is kept of tasks that ended');
    return warn(
      about,
      'none: no idempotent handlers, no Idempotency-Key, no status of tasks that ended',
      'Set STORE_URL=postgres://… or redis://…, which all instances share',
    );
  }
  const place = readStoreUrl(store);
  if (!place || place.kind === 'memory') return ok(about, 'memory:, which ends with the process');
  // Opening it would make it.
  if (place.kind === 'sqlite' && !existsSync(place.file)) {
    return folderFinding(about, dirname(place.file));
  }
  try {
    const opened = await openJournal(place, new SystemClock());
    try {
      await opened.read('doctor');
    } finally {
      await opened.close();
    }
    return ok(
      about,
      place.kind === 'sqlite' ? `${place.file} can be used` : `${place.kind} answers`,
    );
  } catch (error) {
    return fail(about, reasonOf(error));
  }
}

async function payloads(
  place: NonNullable<Settings['payloadStore']>,
  google: Google,
): Promise<Finding> {
  const about = 'PAYLOAD_STORE';
  if ('bucket' in place) return bucket(about, place.bucket, google);
  return folderFinding(about, place.folder);
}

async function bucket(about: string, name: string, google: Google): Promise<Finding> {
  const query = OBJECT_PERMISSIONS.map((each) => `permissions=${each}`).join('&');
  const { storage } = google.addresses;
  try {
    const url = `${storage}/storage/v1/b/${name}/iam/testPermissions?${query}`;
    const answer = await google.ask(url);
    if (answer.status === 404) {
      return fail(
        about,
        `there is no bucket ${name}`,
        `gcloud storage buckets create gs://${name}`,
      );
    }
    if (answer.status !== 200) {
      return warn(about, `gs://${name} can't be asked (${refusalOf(answer)})`);
    }
    const had = (answer.json['permissions'] ?? []) as unknown[];
    const missing = OBJECT_PERMISSIONS.filter((each) => !had.includes(each));
    if (missing.length === 0) return ok(about, `gs://${name} can be written and read`);
    const who = await google.member();
    return fail(
      about,
      `${who} has not ${missing.join(', ')} on gs://${name}`,
      `gcloud storage buckets add-iam-policy-binding gs://${name} --member=${who} --role=roles/storage.objectUser`,
    );
  } catch (error) {
    return fail(about, `gs://${name} can't be asked: ${reasonOf(error)}`);
  }
}

/** Reads the settings of the jobs: where mails go, what is synced, where it is kept, and for how long. */
import { join } from 'node:path';
import { parseDuration } from '../foundation/duration.js';
import type { Environment } from './environment.js';
import { isLoopback } from '../foundation/loopback.js';
import { isMailAddress, MAIL_ADDRESS_EXPECTED } from '../foundation/mail-address.js';
import type { Platform } from '../foundation/platform.js';
import { isPublicName } from '../foundation/public-hosts.js';
import type { SettingName } from './names.js';
import type { Role } from './role.js';
import { readStoreUrl } from '../foundation/store-url.js';

type Age = ReturnType<typeof parseDuration>;

export interface JobsSettings {
  readonly mail: MailSettings;
  /** The app's database: a file, or a server; absent, the jobs that need one fail. */
  readonly records?: { readonly file: string } | { readonly postgres: string };
  /** What entities are read from; absent, none are. */
  readonly sync?: { readonly url: string; readonly loopback: boolean };
  /** What webhooks are signed with, the current one first; none, and they fail. */
  readonly webhookSecrets: readonly string[];
  /** How long what is finished is kept. */
  readonly ages: { readonly mails: Age; readonly deliveries: Age; readonly gone: Age };
}

export interface MailSettings {
  /** Absent, no mail can be sent. */
  readonly place?: { readonly smtp: string } | { readonly folder: string };
  readonly from: string;
  /** Whether the mailbox of the folder is shown. */
  readonly shown: boolean;
}

export interface AboutTheApp {
  /** Of the embedded engine; absent on Google. */
  readonly dataDir: string | undefined;
  readonly host: string;
  readonly platform: Platform | undefined;
  readonly role: Role;
}

export function readJobs(env: Environment, about: AboutTheApp): JobsSettings {
  const database = readDatabase(env, about.dataDir);
  // A process that runs no jobs needn't reach it.
  const records = about.role === 'all' || about.role === 'worker' ? database : undefined;
  const sync = readSyncSource(env, about.dataDir !== undefined);
  return {
    mail: readMail(env, about),
    ...(records ? { records } : {}),
    ...(sync ? { sync } : {}),
    webhookSecrets: env.webhookSecrets('WEBHOOK_SECRET'),
    ages: {
      mails: readAge(env, 'CLEANUP_MAILS_AFTER'),
      deliveries: readAge(env, 'CLEANUP_DELIVERIES_AFTER'),
      gone: readAge(env, 'CLEANUP_GONE_AFTER'),
    },
  };
}

const DEFAULT_AGE = '30d';

function readAge(env: Environment, name: SettingName): Age {
  const text = env.matching(name, /^[1-9]\d{0,4}[mhd]$/, "a duration such as '12h' or '30d'");
  return parseDuration(text ?? DEFAULT_AGE, name);
}

function readDatabase(env: Environment, dataDir: string | undefined): JobsSettings['records'] {
  const expected = "a PostgreSQL database such as 'postgres://user@host:5432/database'";
  const text = env.text('DATABASE_URL');
  if (text === undefined)
    return dataDir === undefined ? undefined : { file: inData(dataDir, 'app.sqlite') };
  const place = readStoreUrl(text);
  if (place?.kind !== 'postgres') return env.refuse('DATABASE_URL', expected);
  return { postgres: text };
}

/** @param loopback whether it may be on this machine */
function readSyncSource(env: Environment, loopback: boolean): JobsSettings['sync'] {
  const expected = "a public https address such as 'https://api.example.com/customers'";
  const url = env.url('SYNC_SOURCE_URL', expected);
  if (!url) return undefined;
  const isLocal = loopback && isLoopback(url.hostname);
  const isPublic = url.protocol === 'https:' && isPublicName(url.hostname);
  if (!(isLocal || isPublic) || url.search || url.hash) env.refuse('SYNC_SOURCE_URL', expected);
  return { url: url.href, loopback };
}

function readMail(env: Environment, { dataDir, host, platform }: AboutTheApp): MailSettings {
  const smtp = readSmtpUrl(env);
  const from = env.text('MAIL_FROM');
  if (from !== undefined && !isMailAddress(from)) env.refuse('MAIL_FROM', MAIL_ADDRESS_EXPECTED);
  if (smtp !== undefined && from === undefined) env.refuse('MAIL_FROM', MAIL_ADDRESS_EXPECTED);
  const place = smtp === undefined ? readMailbox(dataDir) : { smtp };
  return {
    ...(place ? { place } : {}),
    from: from ?? 'app@localhost',
    shown: isLoopback(host) && platform === undefined,
  };
}

function readSmtpUrl(env: Environment): string | undefined {
  const expected =
    "a mail server such as 'smtp://user:password@mail.example.com:587' or 'smtps://mail.example.com'";
  const text = env.text('SMTP_URL');
  if (text === undefined) return undefined;
  const url = /^smtps?:\/\/\S+$/i.test(text) ? URL.parse(text) : null;
  const isPlain = url?.hostname && /^\/?$/.test(url.pathname) && !url.search && !url.hash;
  if (!isPlain || !areDecodable(url)) return env.refuse('SMTP_URL', expected);
  return text;
}

function areDecodable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username);
    decodeURIComponent(password);
    return true;
  } catch {
    return false;
  }
}

function readMailbox(dataDir: string | undefined): { folder: string } | undefined {
  if (dataDir === undefined) return undefined;
  return { folder: inData(dataDir, 'mailbox') };
}

/** What keeps no tasks keeps nothing else either. */
function inData(dataDir: string, name: string): string {
  return dataDir === ':memory:' ? dataDir : join(dataDir, name);
}

/** Reads the settings of the jobs: where mails go, and from whom. */
import { join } from 'node:path';
import type { Environment } from './environment.js';
import { isLoopback } from './loopback.js';
import { isMailAddress, MAIL_ADDRESS_EXPECTED } from './mail-address.js';
import type { Platform } from './platform.js';

export interface JobsSettings {
  readonly mail: MailSettings;
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
}

export function readJobs(env: Environment, about: AboutTheApp): JobsSettings {
  return { mail: readMail(env, about) };
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
  return { folder: dataDir === ':memory:' ? dataDir : join(dataDir, 'mailbox') };
}

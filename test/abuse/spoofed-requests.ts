/** Requests without a credential that pretend to be tasks by every header they can think of. */
import type { AuthMode } from '../../src/modules/auth/auth-options.js';
import { Chance } from '../support/chance.js';
import type { HeaderLines } from './abused-app.js';
import { AbusedApp, TASK_ROUTES } from './abused-app.js';
import { assertNoSecrets } from './secrets.js';

export const size = 100_000;

const MODES: readonly AuthMode[] = ['appengine', 'oidc', 'cloud-run-iam', 'local'];
const ROUTES = [
  ...TASK_ROUTES,
  ...['/add_task_app_engine', '/add_task_external', '/do_external_task', '/add_task_relay'],
  ...['/relay', '/emails', '/webhooks', '/syncs', '/_cron/nightly'],
  ...['/tasks/send-email', '/tasks/process-webhook', '/tasks/sync-data', '/tasks/cleanup'],
];
/** At once. */
const BATCH = 64;

/** What tasks, schedulers, proxies, platforms and people in a hurry send, by name. */
const FAMILIES: readonly (readonly [name: string, values: readonly string[]])[] = [
  ...['AppEngine', 'CloudTasks'].flatMap((kind): [string, string[]][] => [
    [`X-${kind}-QueueName`, ['default', '__cron', 'other', 'default, default', '', 'DEFAULT']],
    [`X-${kind}-TaskName`, ['task-1', 'a/b', '', '1', 'x'.repeat(501)]],
    [`X-${kind}-TaskRetryCount`, ['0', '-1', '1e9', 'abc', '99999999999']],
    [`X-${kind}-TaskExecutionCount`, ['0', 'NaN']],
    [`X-${kind}-TaskETA`, ['0', '1767225600.000000']],
    [`X-${kind}-FailFast`, ['true']],
  ]),
  ['X-AppEngine-Cron', ['true']],
  ['X-CloudScheduler', ['true']],
  ['X-CloudScheduler-JobName', ['job']],
  ['X-AppEngine-User-Ip', ['0.1.0.2', '0.1.0.1']],
  ['X-Forwarded-For', ['0.1.0.2', '127.0.0.1', '169.254.169.254']],
  ['X-Forwarded-Host', ['127.0.0.1', 'localhost']],
  ['X-Forwarded-Proto', ['https']],
  ['Forwarded', ['for=127.0.0.1;host=localhost']],
  ['X-Real-Ip', ['127.0.0.1']],
  ['User-Agent', ['Google-Cloud-Tasks', 'AppEngine-Google; (+http://code.google.com/appengine)']],
  ['X-HTTP-Method-Override', ['GET', 'PUT']],
  ['X-Original-URL', ['/healthz', '/']],
  ['X-Rewrite-URL', ['/healthz']],
  ['X-Google-Internal', ['1']],
  ['X-Goog-Authenticated-User-Email', ['accounts.google.com:tasks@local']],
  ['X-Goog-IAP-JWT-Assertion', ['a.b.c', '']],
  ['X-Serverless-Authorization', ['Bearer a.b.SIGNATURE_REMOVED_BY_GOOGLE', 'Bearer a.b.c', '']],
  [
    'Authorization',
    ['Bearer a.b.c', 'Basic YTpi', 'Bearer', 'Bearer null', 'Bearer undefined', ''],
  ],
  ['Proxy-Authorization', ['Bearer a.b.c']],
  ['X-API-Key', ['', 'nct_aaaaaaaaaaaa_', 'undefined', 'null']],
  ['X-Engine-Signature', [`v1=${'0'.repeat(64)}`, 'v1=', '', 'v0=x']],
  ['X-Tasks-Envelope', [`v1.9999999999.${'A'.repeat(43)}.${'A'.repeat(43)}`]],
  ['X-Tasks-Uid', ['0']],
  ['X-Tasks-Probe', ['1']],
  ['X-Tasks-Guard', ['passed']],
  ['X-Tasks-Payload', ['2026-01-01/x']],
  ['Cookie', ['GAESA=1', 'session=admin']],
  ['Host', ['localhost', 'metadata.google.internal']],
  ['Via', ['1.1 google']],
];

export async function run(count: number, seed: number): Promise<string> {
  const chance = new Chance(seed);
  const statuses = new Map<number, number>();
  let sent = 0;
  for (const [index, mode] of MODES.entries()) {
    const app = await AbusedApp.start({ mode });
    try {
      const until = Math.floor((count * (index + 1)) / MODES.length);
      while (sent < until) {
        const batch = Math.min(BATCH, until - sent);
        await attack(app, chance, batch, sent, statuses);
        sent += batch;
      }
    } finally {
      await app.close();
    }
  }
  const shown = [...statuses].map(([status, times]) => `${status}: ${times}`).join(', ');
  return `${sent} sent in ${MODES.length} modes to ${ROUTES.length} routes, 0 let in; answered ${shown}`;
}

interface Spoofed {
  readonly path: string;
  readonly headers: HeaderLines;
}

async function attack(
  app: AbusedApp,
  chance: Chance,
  batch: number,
  first: number,
  statuses: Map<number, number>,
): Promise<void> {
  const requests = Array.from({ length: batch }, () => spoofed(app.mode, chance));
  const answers = await Promise.all(
    requests.map(({ path, headers }) => app.send(path, headers, '{}')),
  );
  for (const [at, { status }] of answers.entries()) {
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    // 503 is for when nobody can be verified, which here everybody could be.
    if (status < 400 || status >= 500) throw violation(app, first + at, requests[at], status);
  }
  if (app.reached.length + app.handled.length > 0) {
    const what = `${app.reached.join(', ')} was reached`;
    throw violation(app, first, requests, `${what}, by one of ${batch}`);
  }
  assertNoSecrets(app.takeLog(), 'the log');
}

function violation(app: AbusedApp, index: number, request: unknown, outcome: unknown): Error {
  return new Error(`${index}, mode ${app.mode}: ${String(outcome)}: ${JSON.stringify(request)}`);
}

function spoofed(mode: AuthMode, chance: Chance): Spoofed {
  const lines: [string, string][] = [];
  for (let left = chance.between(0, 10); left > 0; left--) {
    const [name, values] = chance.pick(FAMILIES);
    // Two would be an error of the client's own.
    if (name === 'Host' && lines.some(([other]) => /^host$/i.test(other))) continue;
    const value = chance.pick(values);
    lines.push([spelled(name, chance), value]);
    if (name !== 'Host' && chance.is(0.15))
      lines.push([spelled(name, chance), chance.pick(values)]);
  }
  // There, one queue with one task is a task.
  const headers = mode === 'appengine' && isTask(lines) ? lines.filter(notItsName) : lines;
  return { path: spelledPath(chance.pick(ROUTES), chance), headers };
}

function isTask(lines: HeaderLines): boolean {
  const values = (wanted: string) =>
    lines.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
  return (
    values('x-appengine-queuename').length === 1 && values('x-appengine-taskname').length === 1
  );
}

function notItsName([name]: readonly [string, string]): boolean {
  return name.toLowerCase() !== 'x-appengine-taskname';
}

function spelled(name: string, chance: Chance): string {
  switch (chance.between(0, 9)) {
    case 0:
      return name.toLowerCase();
    case 1:
      return name.toUpperCase();
    case 2:
      return [...name].map((letter) => (chance.is(0.5) ? letter.toUpperCase() : letter)).join('');
    case 3:
      // Node takes it for another name; a gateway might not.
      return name === 'Host' ? name : name.replaceAll('-', '_');
    default:
      return name;
  }
}

function spelledPath(path: string, chance: Chance): string {
  switch (chance.between(0, 9)) {
    case 0:
      return path.toUpperCase();
    case 1:
      return `${path}/`;
    case 2:
      return `${path}?x=${chance.between(0, 9)}`;
    case 3:
      return path.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`);
    case 4:
      return `/${path}`;
    default:
      return path;
  }
}

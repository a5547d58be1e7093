/** Draws the mailbox as pages: a list of mails, and one mail in a frame that can do nothing. */
import { createHash } from 'node:crypto';
import type { StoredMail } from '../../foundation/mail.js';
import { printable } from '../../foundation/printable.js';
import { escapeHtml } from './mail-template.js';

const STYLE = `
  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
  table { border-collapse: collapse; width: 100%; }
  th, td { border-bottom: 1px solid #ccc; padding: .4rem .6rem; text-align: left; overflow-wrap: anywhere; }
  iframe { border: 1px solid #ccc; height: 32rem; margin-top: 1rem; width: 100%; background: #fff; }
  pre { border: 1px solid #ccc; padding: 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
`;

/** Of the pages around a mail: no script, no style but ours, no frame but a mail of ours. */
export const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/**
 * Of a mail's own HTML: an origin of its own, no script, no form, nothing fetched from anywhere, so
 * that what a mail holds can neither act nor tell that it was read.
 */
export const MAIL_POLICY =
  "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

export function listPage(mails: readonly StoredMail[]): string {
  const rows = mails.map(
    (mail) =>
      `<tr><td>${time(mail)}</td><td>${shown(mail.to)}</td><td><a href="/mailbox/${mail.id}">${shown(mail.subject) || '(no subject)'}</a></td></tr>`,
  );
  const list = `<table><tr><th>Time</th><th>To</th><th>Subject</th></tr>${rows.join('')}</table>`;
  return page(
    'Mailbox',
    `<p>Mails are kept here instead of being sent, since SMTP_URL is not set.</p>${rows.length === 0 ? '<p>There are none yet.</p>' : list}`,
  );
}

export function mailPage(mail: StoredMail): string {
  const { id, messageId, from, to, subject, text, html } = mail;
  const lines = Object.entries({ From: from, To: to, Time: time(mail), 'Message-ID': messageId });
  const head = lines.map(([name, value]) => `<tr><th>${name}</th><td>${shown(value)}</td></tr>`);
  const content =
    html === undefined
      ? `<pre>${escapeHtml(text ?? '')}</pre>`
      : `<iframe sandbox title="The mail" src="/mailbox/${id}/html"></iframe>`;
  return page(
    subject,
    `<table>${head.join('')}</table>${content}<p><a href="/mailbox">All mails</a> · <a href="/mailbox/${id}/source">Source</a></p>`,
  );
}

function page(title: string, content: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${shown(title)}</title><style>${STYLE}</style></head><body><h1>${shown(title)}</h1>${content}</body></html>`;
}

function time({ date }: StoredMail): string {
  return date.toISOString();
}

/** On one line, with what is invisible made visible. */
function shown(text: string): string {
  return escapeHtml(printable(text, 500));
}

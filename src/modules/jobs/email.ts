/** What is asked of the job that sends mail: to whom, and one content. */
import { invalidArgument } from '../../engine/errors.js';
import { isMailAddress, MAIL_ADDRESS_EXPECTED } from '../../foundation/mail-address.js';
import { printable } from '../../foundation/printable.js';
import type { Fields } from '../producer/fields.js';
import { unexpected } from '../producer/fields.js';
import { renderTemplate } from './mail-template.js';

export interface Email {
  readonly to: string;
  readonly subject: string;
  readonly content: { readonly text: string } | { readonly html: string };
}

export const EMAIL_FIELDS = ['to', 'subject', 'body', 'html', 'template', 'data'] as const;

const LONGEST_SUBJECT = 500;
const CONTENTS = ['body', 'html', 'template'] as const;

/** @throws CloudTasksError INVALID_ARGUMENT naming the field */
export function readEmail(fields: Fields): Email {
  const to = fields.required('to', MAIL_ADDRESS_EXPECTED);
  if (!isMailAddress(to)) unexpected('to', MAIL_ADDRESS_EXPECTED, `'${printable(to)}'`);
  const subject = fields.required('subject', 'a line of text');
  if (/\p{Cc}/u.test(subject) || !subject.isWellFormed() || subject.length > LONGEST_SUBJECT) {
    const expected = `a line of at most ${LONGEST_SUBJECT} characters, none of them a control character`;
    unexpected('subject', expected, `'${printable(subject)}'`);
  }
  return { to, subject, content: readContent(fields) };
}

function readContent(fields: Fields): Email['content'] {
  const [kind, ...others] = CONTENTS.filter((name) => fields.json(name) !== undefined);
  if (kind === undefined || others.length > 0) {
    const came = others.length > 0 ? [kind, ...others].join(' and ') : 'none';
    throw invalidArgument(
      `${kind ?? 'body'}: expected one of ${CONTENTS.join(', ')}, got ${came}.`,
      kind ?? 'body',
    );
  }
  const text = fields.required(kind, 'text');
  if (!text.isWellFormed()) unexpected(kind, 'text without lone surrogates', 'some');
  if (kind !== 'template' && fields.json('data') !== undefined) {
    throw invalidArgument('data: expected a template that it goes with, got none.', 'data');
  }
  if (kind === 'body') return { text };
  return { html: kind === 'html' ? text : renderTemplate(text, fields) };
}

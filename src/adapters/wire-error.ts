/** Error details on the wire: what google.rpc.Status carries besides a code and a text. */
import type { google } from '@google-cloud/tasks/build/protos';
import type { CloudTasksError, ErrorDetail } from '../engine/errors.js';
import type { Field } from './wire-message.js';
import { messageOf } from './wire-message.js';

/** Details travel in headers, whose size is limited; what they quote may be any size. */
const MOST_TEXT = 500;

const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest';

/** With the field that is at fault, in google.rpc.BadRequest. */
export function detailsToWire({ code, field, details }: CloudTasksError): google.protobuf.IAny[] {
  const all = details.map((detail) => ({ type_url: detail['@type'], value: encoded(detail) }));
  if (field === undefined || code !== 'INVALID_ARGUMENT') return all;
  // { field_violations: [{ field }] }
  const value = messageOf([[1, messageOf([[1, field]])]]);
  return [...all, { type_url: BAD_REQUEST, value }];
}

function encoded(detail: ErrorDetail): Buffer {
  switch (detail['@type']) {
    case 'type.googleapis.com/google.rpc.Help':
      return messageOf(detail.links.map(({ description, url }) => [1, texts(description, url)]));
    case 'type.googleapis.com/google.rpc.ErrorInfo':
      return messageOf([
        [1, detail.reason],
        [2, detail.domain],
        ...Object.entries(detail.metadata).map(([key, value]): Field => [3, texts(key, value)]),
      ]);
    case 'type.googleapis.com/google.rpc.LocalizedMessage':
      return texts(detail.locale, detail.message);
  }
}

/** A message of two texts, numbered 1 and 2. */
function texts(first: string, second: string): Buffer {
  return messageOf([
    [1, first],
    [2, second.slice(0, MOST_TEXT).toWellFormed()],
  ]);
}

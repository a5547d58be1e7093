import { expect, test } from '@jest/globals';
import { checkRelativeUri } from '../../../src/modules/producer/relative-uri.js';

const CLOSED = ['/add_task_external'];

test.each([
  '/',
  '/tasks/example',
  '/a?b=c&d=%zz',
  '/a%20b',
  '/a%2Fb',
  '/caf%C3%A9',
  '/a;v=1',
  '/a//b',
  '/...',
  '/a.b/.c/d.',
  '/_ahead',
  '/x/_ah/stop',
  '/add_task_external_2',
  `/${'a'.repeat(2082)}`,
])('allows %s as it came', (uri) => {
  expect(checkRelativeUri(uri, CLOSED)).toBe(uri);
});

// Case 62.
test.each([
  '',
  'tasks',
  'http://evil.example/',
  '//evil.com',
  '/\\evil',
  '\\evil',
  '/%2fevil.com',
  '/%5cevil',
  '/a\\b',
  '/a%5Cb',
  '/..',
  '/../x',
  '/a/../b',
  '/./x',
  '/a/.',
  '/%2e%2e/x',
  '/%2E./x',
  '/.%2e',
  '/a/%2e%2e',
  '/a%2f..%2fb',
  '/a/..;/b',
  '/%252e%252e/x',
  '/%25252e%25252e/x',
  '/a b',
  '/a\tb',
  '/a\r\nX: y',
  '/a%0d%0ab',
  '/a%00',
  '/a#b',
  '/café',
  '/a%',
  '/a%2',
  '/a%zz',
  '/_ah',
  '/_ah/stop',
  '/_AH/start',
  '/%5fah/stop',
  '/_%61h/stop',
  '/%255fah/stop',
  '/add_task_external',
  '/ADD_TASK_EXTERNAL/',
  '/add_task_external?x=1',
  '/add_task%5fexternal',
  `/${'a'.repeat(2083)}`,
])('refuses %j', (uri) => {
  expect(() => checkRelativeUri(uri, CLOSED)).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', field: 'relativeUri' }),
  );
});

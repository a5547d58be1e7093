/** Which addresses name a store. */
import { expect, test } from '@jest/globals';
import { readStoreUrl } from '../../src/foundation/store-url.js';

test.each([
  ['memory:', { kind: 'memory' }],
  ['sqlite::memory:', { kind: 'memory' }],
  ['sqlite:./.data/journal.sqlite', { kind: 'sqlite', file: './.data/journal.sqlite' }],
  ['sqlite:a b.sqlite', { kind: 'sqlite', file: 'a b.sqlite' }],
  ['sqlite:/var/lib/j.sqlite', { kind: 'sqlite', file: '/var/lib/j.sqlite' }],
  ['sqlite:///var/lib/j.sqlite', { kind: 'sqlite', file: '/var/lib/j.sqlite' }],
])('%s', (text, place) => {
  expect(readStoreUrl(text)).toEqual(place);
});

test.each([
  ['redis', 'redis://127.0.0.1:6379'],
  ['redis', 'rediss://user:secret@redis.example.com/3'],
  ['postgres', 'postgres://user:secret@10.0.0.1:5432/app?sslmode=require'],
  ['postgres', 'postgresql://user@[::1]/app'],
  // Cloud SQL's socket.
  ['postgres', 'postgresql:///app?host=/cloudsql/project:region:instance'],
])('%s: %s', (kind, url) => {
  expect(readStoreUrl(url)).toEqual({ kind, url });
});

test.each([
  '',
  'sqlite:',
  'redis:',
  'redis://',
  'mysql://host/db',
  './journal.sqlite',
  'redis:// a',
])('none: %j', (text) => {
  expect(readStoreUrl(text)).toBeUndefined();
});

import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { nearestName } from '../../src/foundation/did-you-mean.js';

const NAMES = ['payload', 'queue', 'taskId', 'countdown', 'scheduleTime', 'url'];

test.each([
  ['paylaod', 'payload'],
  ['queu', 'queue'],
  ['task_id', 'taskId'],
  ['Schedule-Time', 'scheduleTime'],
  ['coutndwn', 'countdown'],
  ['uri', 'url'],
  ['urls', 'url'],
  ['earl', undefined],
  ['delay', undefined],
  ['', undefined],
  ['x'.repeat(1_000_000), undefined],
])('takes %.20s for %s', (given, meant) => {
  expect(nearestName(given, NAMES)).toBe(meant);
});

test('a name is nearest to itself, and one edit away it is still found', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...NAMES),
      fc.nat(20),
      fc.constantFrom('x', '7'),
      (name, at, other) => {
        expect(nearestName(name, NAMES)).toBe(name);
        const place = at % (name.length + 1);
        expect(nearestName(name.slice(0, place) + other + name.slice(place), NAMES)).toBe(name);
      },
    ),
  );
});

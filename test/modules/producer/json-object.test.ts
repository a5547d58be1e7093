import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MAX_JSON_DEPTH, readJsonObject } from '../../../src/modules/producer/json-object.js';

function refusal(text: string): string {
  try {
    readJsonObject(text);
  } catch (error) {
    expect(error).toMatchObject({ name: 'CloudTasksError', code: 'INVALID_ARGUMENT' });
    return (error as Error).message;
  }
  throw new Error(`accepted ${text.slice(0, 100)}`);
}

describe('readJsonObject', () => {
  test('gives each value as the text that it came in', () => {
    const text =
      ' {"a" : 12345678901234567890 ,\n"b":{"z":1,"a":1,"__proto__":{"x":1e999}}, "c":"\\u00e9" }\t';
    expect([...readJsonObject(text)]).toEqual([
      ['a', '12345678901234567890'],
      ['b', '{"z":1,"a":1,"__proto__":{"x":1e999}}'],
      ['c', '"\\u00e9"'],
    ]);
    expect(readJsonObject('{}').size).toBe(0);
  });

  test('knows a name by what it means, not by how it is escaped', () => {
    expect([...readJsonObject('{"pay\\u006coad":1}').keys()]).toEqual(['payload']);
    expect(refusal('{"a":1,"\\u0061":2}')).toBe("The field 'a' comes twice.");
  });

  test('takes prototype names for names', () => {
    const fields = readJsonObject('{"__proto__":{"polluted":1},"constructor":2}');
    expect([...fields.keys()]).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  // Case 46 of the abuse cases.
  test.each([
    ['', 'Invalid JSON at position 0 (line 1, column 1): expected a value, got the end.'],
    ['{"a":1', 'Invalid JSON at position 6 (line 1, column 7): expected "," or "}", got the end.'],
    [
      '{"a":1,}',
      "Invalid JSON at position 7 (line 1, column 8): expected a name in double quotes, got '}'.",
    ],
    ['{\n  "a": NaN}', "Invalid JSON at position 9 (line 2, column 8): expected a value, got 'N'."],
    ['{} {}', "Invalid JSON at position 3 (line 1, column 4): expected the end, got '{'."],
    ['{"a":01}', 'Invalid JSON at position 6 (line 1, column 7): expected "," or "}", got \'1\'.'],
    [
      '{"a":"\u0000"}',
      "Invalid JSON at position 6 (line 1, column 7): expected the rest of a string, control characters escaped, got '\\u0000'.",
    ],
    [
      '{"a":"\\x"}',
      "Invalid JSON at position 6 (line 1, column 7): expected an escape such as \\n or \\u00e9, got '\\'.",
    ],
    [
      '{/**/}',
      "Invalid JSON at position 1 (line 1, column 2): expected a name in double quotes, got '/'.",
    ],
    ['\ufeff{}', "Invalid JSON at position 0 (line 1, column 1): expected a value, got '\\ufeff'."],
    ['null', 'The body must be a JSON object, got null.'],
    ['[1]', 'The body must be a JSON object, got an array.'],
    ['"text"', 'The body must be a JSON object, got "text".'],
    ['42', 'The body must be a JSON object, got 42.'],
  ])('refuses %j', (text, message) => {
    expect(refusal(text)).toBe(message);
  });

  test('allows 64 levels and refuses 65, however deep, without overflowing (case 50)', () => {
    const nested = (levels: number) => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    expect(readJsonObject(nested(MAX_JSON_DEPTH)).size).toBe(1);
    expect(refusal(nested(MAX_JSON_DEPTH + 1))).toContain('expected at most 64 levels of nesting');
    expect(refusal(`{"a":${'['.repeat(1_000_000)}`)).toContain('at most 64 levels');
    expect(refusal(`{"a":${'{"a":'.repeat(100_000)}`)).toContain('at most 64 levels');
  });

  test('reads long values in linear time (case 52)', () => {
    const long = {
      string: `"${'x'.repeat(1_000_000)}"`,
      escapes: `"${'\\u0041'.repeat(160_000)}"`,
      digits: '9'.repeat(1_000_000),
      keys: `{${Array.from({ length: 100_000 }, (_, index) => `"k${index}":${index}`).join()}}`,
    };
    for (const [name, value] of Object.entries(long)) {
      expect(readJsonObject(`{"${name}":${value}}`).get(name)).toBe(value);
    }
  });

  test('accepts what JSON.parse accepts, and slices it apart without a change', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 8 })),
        fc.nat(3),
        (object, space) => {
          const text = JSON.stringify(object, null, space);
          const fields = readJsonObject(text);
          expect([...fields.keys()]).toEqual(Object.keys(object));
          for (const [name, value] of fields) {
            expect(text).toContain(value);
            expect(JSON.parse(value)).toEqual(JSON.parse(JSON.stringify(object[name])));
          }
        },
      ),
    );
  });

  test('agrees with JSON.parse about every text that is nearly JSON', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"',
      '\\',
      '1',
      '-',
      '.5',
      'e9',
      '0',
      'true',
      'null',
      ' ',
      '\n',
      '\u0001',
      '"b":',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), (parts) => {
        const text = `{${parts.join('')}`;
        const parsed = (() => {
          try {
            return JSON.parse(text) as unknown;
          } catch {
            return undefined;
          }
        })();
        if (parsed === undefined) {
          refusal(text);
          return;
        }
        try {
          expect([...readJsonObject(text).keys()].sort()).toEqual(
            Object.keys(parsed as object).sort(),
          );
        } catch (error) {
          expect((error as Error).message).toMatch(/comes twice/);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

/** Reads strict JSON text in one pass: which fields an object has, each as the text it came in. */
import { invalidArgument } from '../../engine/errors.js';
import { printable } from '../../foundation/printable.js';

/** Deeper text would overflow the stack of whoever turns it into text again. */
export const MAX_JSON_DEPTH = 64;

/**
 * The fields of the object that `text` is, by name, each with the exact text of its value.
 *
 * The whole text is checked, nothing is built from it: a value's digits, key order and odd keys
 * stay as they came. A name that comes twice is refused.
 *
 * @param within the field that the object is the value of, for errors; none for a whole body
 * @throws CloudTasksError INVALID_ARGUMENT that tells the position, what was expected, what came.
 */
export function readJsonObject(text: string, within?: string): Map<string, string> {
  return new JsonText(text, within).object();
}

const WHITESPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const LITERAL = /true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;

class JsonText {
  private position = 0;

  constructor(
    private readonly text: string,
    private readonly within: string | undefined,
  ) {}

  object(): Map<string, string> {
    const fields = new Map<string, string>();
    this.skip(WHITESPACE);
    if (this.text[this.position] !== '{') {
      const start = this.position;
      this.value(1);
      throw invalidArgument(
        `The body must be a JSON object, got ${describeJson(this.text.slice(start, this.position))}.`,
      );
    }
    this.members(1, (name, value) => {
      if (fields.has(name)) {
        throw invalidArgument(
          `The field '${printable(name)}' comes twice.`,
          this.within ?? printable(name),
        );
      }
      fields.set(name, value);
    });
    this.skip(WHITESPACE);
    if (this.position < this.text.length) this.fail('the end');
    return fields;
  }

  private value(depth: number): void {
    switch (this.text[this.position]) {
      case '{':
        this.members(depth);
        break;
      case '[':
        this.elements(depth);
        break;
      case '"':
        this.string();
        break;
      default:
        if (!this.skip(NUMBER) && !this.skip(LITERAL)) this.fail('a value');
    }
  }

  private members(depth: number, found?: (name: string, value: string) => void): void {
    this.list('}', depth, () => {
      const nameStart = this.position;
      if (this.text[nameStart] !== '"') this.fail('a name in double quotes');
      this.string();
      const nameEnd = this.position;
      this.skip(WHITESPACE);
      this.take(':');
      this.skip(WHITESPACE);
      const valueStart = this.position;
      this.value(depth + 1);
      found?.(
        JSON.parse(this.text.slice(nameStart, nameEnd)) as string,
        this.text.slice(valueStart, this.position),
      );
    });
  }

  private elements(depth: number): void {
    this.list(']', depth, () => this.value(depth + 1));
  }

  /** Commas and whitespace between items, up to `close`; stands at the opening bracket. */
  private list(close: '}' | ']', depth: number, item: () => void): void {
    if (depth > MAX_JSON_DEPTH) {
      throw invalidArgument(
        `Invalid JSON at ${this.place()}: expected at most ${MAX_JSON_DEPTH} levels of nesting, got more.`,
      );
    }
    this.position++;
    this.skip(WHITESPACE);
    if (this.text[this.position] === close) {
      this.position++;
      return;
    }
    for (;;) {
      item();
      this.skip(WHITESPACE);
      if (this.text[this.position] === close) break;
      if (this.text[this.position] !== ',') this.fail(`"," or "${close}"`);
      this.position++;
      this.skip(WHITESPACE);
    }
    this.position++;
  }

  private string(): void {
    this.position++;
    for (;;) {
      const code = this.text.charCodeAt(this.position);
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        if (!this.skip(ESCAPE)) this.fail('an escape such as \\n or \\u00e9');
      } else if (code >= FIRST_PRINTABLE) {
        this.position++;
      } else {
        // Also the end, where the code is NaN.
        this.fail('the rest of a string, control characters escaped');
      }
    }
    this.position++;
  }

  private take(character: string): void {
    if (this.text[this.position] !== character) this.fail(`"${character}"`);
    this.position++;
  }

  private skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.position;
    if (!pattern.test(this.text)) return false;
    this.position = pattern.lastIndex;
    return true;
  }

  private fail(expected: string): never {
    const came = this.text[this.position];
    throw invalidArgument(
      `Invalid JSON at ${this.place()}: expected ${expected}, got ${came === undefined ? 'the end' : `'${printable(came)}'`}.`,
    );
  }

  private place(): string {
    const lines = this.text.slice(0, this.position).split('\n');
    const column = (lines.at(-1)?.length ?? 0) + 1;
    return `position ${this.position} (line ${lines.length}, column ${column})`;
  }
}

/** A JSON value as an error shows it: on one line, and short. */
export function describeJson(valueText: string): string {
  if (valueText.startsWith('{')) return 'an object';
  if (valueText.startsWith('[')) return 'an array';
  return printable(valueText);
}

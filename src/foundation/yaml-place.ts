/** A value in a YAML file, or in options, that knows its place, so that an error can say where it is. */
import { readFileSync } from 'node:fs';
import type { Node, Pair } from 'yaml';
import {
  Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
} from 'yaml';
import { nearestName } from './did-you-mean.js';
import { CloudTasksError, invalidArgument } from '../engine/errors.js';
import type { Duration } from '../engine/time.js';
import { DAY, HOUR, MILLISECOND, MINUTE, SECOND } from '../engine/time.js';
import { printable } from './printable.js';

const UNITS: Readonly<Record<string, Duration>> = {
  ms: MILLISECOND,
  s: SECOND,
  m: MINUTE,
  h: HOUR,
  d: DAY,
};

interface Source {
  /** The file, or who takes the options. */
  readonly name: string;
  /** Absent, it has no lines. */
  readonly lineAt?: (offset: number) => number;
  /** What an alias such as `*defaults` stands for. */
  readonly resolve: (node: unknown) => unknown;
  /** What a node is, aliases inside of it resolved. */
  readonly value: (node: unknown) => unknown;
}

/** @throws CloudTasksError INVALID_ARGUMENT: `tasks.yaml: there is no such file` */
export function textOfFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT' ? 'there is no such file' : `it can't be read (${code ?? 'error'})`;
    throw new CloudTasksError('INVALID_ARGUMENT', `${printable(path, 200)}: ${why}`, { cause });
  }
}

/**
 * @param file how errors name it
 * @throws CloudTasksError INVALID_ARGUMENT: `tasks.yaml:3: not valid YAML: …`
 */
export function parseYaml(text: string, file: string): YamlPlace {
  const lines = new LineCounter();
  const document = parseDocument<Node>(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number) => lines.linePos(offset).line;
  // A warning is a tag that nobody knows, which would be left out without a word.
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) {
    const message = printable(problem.message, 200);
    throw invalidArgument(`${file}:${lineAt(problem.pos[0])}: not valid YAML: ${message}`);
  }
  const resolve = (node: unknown) => (isAlias(node) ? node.resolve(document) : node);
  const value = (node: unknown) => plain(node, document);
  return new YamlPlace({ name: file, lineAt, resolve, value }, '', document.contents, 1);
}

/**
 * Options as they are in code, read by the same rules as a file.
 *
 * @param owner whose they are, as errors name it: `TasksModule`
 */
export function placeOf(options: object, owner: string): YamlPlace {
  const document = new Document<Node>(options);
  const resolve = (node: unknown) => (isAlias(node) ? node.resolve(document) : node);
  const value = (node: unknown) => plain(node, document);
  return new YamlPlace({ name: owner, resolve, value }, '', document.contents, 0);
}

function plain(node: unknown, document: Document.Parsed | Document): unknown {
  return isNode(node) ? (node.toJS(document) as unknown) : node;
}

export class YamlPlace {
  private readonly node: unknown;

  constructor(
    private readonly source: Source,
    /** `queues.email-queue.maxAttempts`; empty for the whole file. */
    readonly path: string,
    node: unknown,
    private readonly line: number,
  ) {
    this.node = source.resolve(node);
  }

  /** `line 7`, or the path where there are no lines. */
  get where(): string {
    return this.source.lineAt ? `line ${this.line}` : this.path;
  }

  /** `tasks.yaml:7`, or whose options these are. */
  get at(): string {
    return this.source.lineAt ? `${this.source.name}:${this.line}` : this.source.name;
  }

  get isNothing(): boolean {
    return this.node === null || (isScalar(this.node) && this.node.value === null);
  }

  /** The fields of a map by name; a name that isn't known is refused. */
  fields(known: readonly string[]): Map<string, YamlPlace> {
    const fields = new Map(this.entries());
    for (const [name, place] of fields) {
      if (!known.includes(name)) place.refuseName(name, known);
    }
    return fields;
  }

  /** The fields of a map whose names are free. */
  entries(): [name: string, place: YamlPlace][] {
    if (!isMap(this.node)) this.refuse('a map');
    const { items } = this.node;
    return items.map((pair: Pair) => {
      const key = this.source.resolve(pair.key);
      if (!isScalar(key)) return this.refuse('names that are plain text');
      const name = key.source ?? String(key.value);
      const path = this.path ? `${this.path}.${name}` : name;
      return [name, new YamlPlace(this.source, path, pair.value, this.lineOf(key.range))];
    });
  }

  items(): YamlPlace[] {
    if (!isSeq(this.node)) this.refuse('a list');
    return this.node.items.map((item: unknown, index) => {
      const { range } = item as { readonly range?: readonly [number, ...unknown[]] | null };
      return new YamlPlace(this.source, `${this.path}[${index}]`, item, this.lineOf(range));
    });
  }

  /** Text, also where YAML would take it for a number: a queue may be called `007`. */
  text(pattern: RegExp, expected: string): string {
    const value = this.scalar();
    const text = typeof value === 'string' ? value : typeof value === 'number' ? this.shown() : '';
    return pattern.test(text) ? text : this.refuse(expected);
  }

  number(isRight: (value: number) => boolean, expected: string): number {
    const value = this.scalar();
    return typeof value === 'number' && isRight(value) ? value : this.refuse(expected);
  }

  oneOf<Value extends string | boolean>(values: readonly Value[]): Value {
    const found = values.find((value) => value === this.scalar());
    return found ?? this.refuse(values.map((value) => `'${String(value)}'`).join(' or '));
  }

  /** `500ms`, `0.1s`, `10m`, `1h`, `30d`; a bare number is refused, since it has no unit. */
  duration(isRight: (value: Duration) => boolean, expected: string): Duration {
    const value = this.scalar();
    const [, count, unit = ''] =
      typeof value === 'string' ? (/^(\d{1,12}(?:\.\d{1,9})?)(ms|s|m|h|d)$/.exec(value) ?? []) : [];
    const duration = Math.round(Number(count) * (UNITS[unit] ?? NaN));
    return isRight(duration) ? duration : this.refuse(expected);
  }

  /** Whatever it is, as JSON has it. */
  value(): unknown {
    return this.source.value(this.node);
  }

  refuse(expected: string): never {
    throw this.error(`expected ${expected}, got ${this.came()}`);
  }

  /** `tasks.yaml:7: queues.email-queue.maxAttempts: <problem>` */
  error(problem: string): CloudTasksError {
    const path = this.path === '' ? '' : ` ${printable(this.path, 200)}:`;
    return invalidArgument(`${this.at}:${path} ${problem}`, this.path || undefined);
  }

  private lineOf(range: readonly [number, ...unknown[]] | null | undefined): number {
    return (range && this.source.lineAt?.(range[0])) ?? this.line;
  }

  private refuseName(name: string, known: readonly string[]): never {
    const nearest = nearestName(name, known);
    throw this.error(
      nearest === undefined
        ? `not a field here, expected one of ${known.join(', ')}`
        : `not a field here, did you mean ${nearest}?`,
    );
  }

  private scalar(): unknown {
    return isScalar(this.node) ? this.node.value : undefined;
  }

  private came(): string {
    if (this.isNothing) return 'nothing';
    if (this.node === undefined) return 'an alias of nothing';
    if (isMap(this.node)) return 'a map';
    if (isSeq(this.node)) return 'a list';
    const shown = printable(this.shown());
    return typeof this.scalar() === 'string' ? `'${shown}'` : shown;
  }

  /** As it stands in the file. */
  private shown(): string {
    return isScalar(this.node) ? (this.node.source ?? String(this.node.value)) : '';
  }
}

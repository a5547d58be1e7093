/** Shows findings: to a person by sections, to a program as JSON. */
import { styleText } from 'node:util';
import { printable } from '../../foundation/printable.js';
import type { Finding, Level } from './finding.js';

const COLOURS = { ok: 'green', warn: 'yellow', fail: 'red' } as const;
const LEVEL_WIDTH = 6;
const INDENT = '  ';

export interface Screen {
  /** Characters in a line. */
  readonly columns: number;
  readonly colours: boolean;
}

/** A line, its continuation under it, and what to do about it; a command stays on one line. */
export function findingLines(
  { level, about, text, mend }: Finding,
  aboutWidth: number,
  screen: Screen,
): string[] {
  const margin = INDENT.length + LEVEL_WIDTH + aboutWidth + 2;
  const [first = '', ...more] = wrapped(clean(text), screen.columns - margin);
  const word = coloured(level, level.padEnd(LEVEL_WIDTH), screen);
  return [
    `${INDENT}${word}${clean(about).padEnd(aboutWidth)}  ${first}`,
    ...more.map((line) => ' '.repeat(margin) + line),
    ...mend.map((line) => `${' '.repeat(INDENT.length + LEVEL_WIDTH)}-> ${clean(line)}`),
  ];
}

/** `12 ok, 1 warning, no failure.` */
export function summary(findings: readonly Finding[], screen: Screen): string {
  const count = (level: Level) => findings.filter((each) => each.level === level).length;
  const worst = (['fail', 'warn', 'ok'] as const).find((level) => count(level) > 0) ?? 'ok';
  const text = `${count('ok')} ok, ${plural(count('warn'), 'warning')}, ${plural(count('fail'), 'failure')}.`;
  return coloured(worst, text, screen);
}

export function title(text: string, { colours }: Screen): string {
  return colours ? styleText('bold', text, { validateStream: false }) : text;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function coloured(level: Level, text: string, { colours }: Screen): string {
  return colours ? styleText(COLOURS[level], text, { validateStream: false }) : text;
}

function clean(text: string): string {
  return printable(text, Infinity);
}

const NARROWEST = 30;

function wrapped(text: string, width: number): string[] {
  if (!(width >= NARROWEST)) return [text];
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

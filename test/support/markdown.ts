/** The parts of a document of ours that tests hold to be true: its tables, code and links. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export class Markdown {
  private readonly text: string;

  /** @param path from the root of the project: `docs/settings.md` */
  constructor(private readonly path: string) {
    this.text = readFileSync(join(ROOT, path), 'utf8');
  }

  /** The rows of the tables with these columns, each a record by column. */
  table<Column extends string>(...columns: Column[]): Record<Column, string>[] {
    const [, ...tables] = this.text.split(`\n| ${columns.join(' | ')} |\n`);
    if (tables.length === 0) throw new Error(`${this.path} has no table ${columns.join(', ')}.`);
    return tables.flatMap((after) => {
      const [, ...rows] = after.split('\n');
      const end = rows.findIndex((row) => !row.startsWith('|'));
      return rows.slice(0, end).map((row) => {
        const cells = row.split('|').map((cell) => cell.trim());
        const entries = columns.map((column, index) => [column, cells[index + 1] ?? '']);
        return Object.fromEntries(entries) as Record<Column, string>;
      });
    });
  }

  /** What the code blocks of a language hold. */
  code(language: string): string[] {
    const blocks = this.text.matchAll(/^```(\S*)\n(.*?)^```$/gms);
    return [...blocks].flatMap(([, is, content = '']) => (is === language ? [content] : []));
  }

  /** What of our own it links to that isn't there: files, and headings of its own. */
  brokenLinks(): string[] {
    const headings = [...this.prose().matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => slug(text));
    const targets = [...this.prose().matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
    return targets.filter((target) => {
      if (/^https?:/.test(target)) return false;
      if (target.startsWith('#')) return !headings.includes(target.slice(1));
      return !existsSync(join(ROOT, dirname(this.path), target.replace(/#.*/, '')));
    });
  }

  /** All that stands between backticks outside of code blocks. */
  names(): string[] {
    return [...this.prose().matchAll(/`([^`\n]+)`/g)].map(([, name = '']) => name);
  }

  private prose(): string {
    return this.text.replace(/^```.*?^```$/gms, '');
  }
}

/** The anchor that GitHub gives a heading. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

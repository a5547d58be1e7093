/** unix-cron: five fields, read strictly, and the wall-clock times that they match. */
import { Cron as Croner } from 'croner';
import type { Instant } from '../engine/time.js';
import type { WallTime, Zone } from './cron-zone.js';

interface Field {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly names?: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const FIELDS: readonly Field[] = [
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of month', least: 1, most: 31 },
  { name: 'month', least: 1, most: 12, names: MONTHS },
  { name: 'day of week', least: 0, most: 7, names: DAYS },
];

/** Where a schedule is wrong: from which character on, and what should be there. */
export class NotASchedule extends Error {
  override readonly name = 'NotASchedule';

  constructor(
    readonly expected: string,
    readonly got: string,
    /** Of the first character that is at fault, counted from 1. */
    readonly column: number,
  ) {
    super(`expected ${expected}, got ${got}, at character ${column}`);
  }
}

export class UnixCron {
  private readonly calendar: Croner;
  private readonly everyHour: boolean;

  /** @throws NotASchedule */
  constructor(
    text: string,
    private readonly zone: Zone,
  ) {
    const [, hours] = unixFields(text);
    this.everyHour = hours?.size === 24;
    // On a wall without a time zone: the zone's leaps are for `next`, by the one rule.
    this.calendar = new Croner(text.trim().toLowerCase(), {
      timezone: 'UTC',
      paused: true,
      mode: '5-part',
    });
  }

  /**
   * What the clock shows twice is meant the first time, unless every hour is meant; what it leaves
   * out is carried out as much later as it was set forward.
   */
  next(after: Instant): Instant | undefined {
    const { zone } = this;
    const leap = zone.leapNear(after);
    // A clock that is set back shows again what lies behind it.
    let wall: WallTime | undefined = zone.wallOf(after) - leap;
    let best: Instant | undefined;
    // As far as a time that is left out may be put off past later ones.
    while ((wall = this.nextWall(wall)) !== undefined) {
      const isFarther = best !== undefined && wall > zone.wallOf(best) + zone.leapNear(best);
      if (isFarther) break;
      for (const instant of this.instantsOf(wall)) {
        if (instant > after && (best === undefined || instant < best)) best = instant;
      }
      if (best !== undefined && zone.leapNear(best) === 0) break;
    }
    return best;
  }

  private instantsOf(wall: WallTime): readonly Instant[] {
    const { instants, isMissing } = this.zone.instantsOf(wall);
    return this.everyHour && !isMissing ? instants : instants.slice(0, 1);
  }

  private nextWall(after: WallTime): WallTime | undefined {
    return this.calendar.nextRun(new Date(after))?.getTime();
  }
}

/**
 * @returns the values that each of the five fields has; Sunday may be 0 and 7
 * @throws NotASchedule
 */
export function unixFields(text: string): readonly ReadonlySet<number>[] {
  const fields = [...text.matchAll(/\S+/g)].map(({ 0: field, index }) => ({
    field,
    column: index + 1,
  }));
  if (fields.length !== FIELDS.length) {
    const surplus = fields[FIELDS.length];
    const column = surplus?.column ?? text.trimEnd().length + 1;
    throw new NotASchedule('5 fields', `${fields.length}`, column);
  }
  return fields.map(({ field, column }, index) => {
    const kind = FIELDS[index];
    return kind ? readField(kind, field, column) : new Set<number>();
  });
}

function readField(kind: Field, text: string, column: number): Set<number> {
  const values = new Set<number>();
  let at = column;
  for (const part of text.split(',')) {
    for (const value of readPart(kind, part, at)) values.add(value);
    at += part.length + 1;
  }
  return values;
}

/** `*`, `5`, `mon`, `1-5`, each but a single value with a step such as `/2`. */
function readPart(kind: Field, part: string, column: number): number[] {
  const { name, least, most, names } = kind;
  const [range = '', step, ...more] = part.split('/');
  const [from = '', to, ...others] = range.split('-');
  const named = names ? ` or ${names.join(', ')}` : '';
  const expected = `${name === 'hour' ? 'an' : 'a'} ${name} of ${least}-${most}${named}, *, a range or a list`;
  const refuse = (what = expected) => new NotASchedule(what, `'${part}'`, column);
  if (more.length > 0 || others.length > 0) throw refuse();
  const read = (text: string): number => {
    const byName = names?.indexOf(text.toLowerCase()) ?? -1;
    const value =
      byName >= 0
        ? byName + (name === 'month' ? 1 : 0)
        : /^\d{1,2}$/.test(text)
          ? Number(text)
          : NaN;
    if (!(value >= least && value <= most)) throw refuse();
    return value;
  };
  const first = from === '*' && to === undefined ? least : read(from);
  const last = from === '*' ? most : to === undefined ? first : read(to);
  if (last < first) throw refuse(`a range of ${name} from the smaller to the greater`);
  if (step === undefined) return numbers(first, last, 1);
  if (from !== '*' && to === undefined) throw refuse(`a step after * or a range`);
  if (!/^\d{1,2}$/.test(step) || Number(step) < 1 || Number(step) > most) {
    throw refuse(`a step of 1-${most} for the ${name}`);
  }
  return numbers(first, last, Number(step));
}

function numbers(first: number, last: number, step: number): number[] {
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, n) => first + n * step);
}

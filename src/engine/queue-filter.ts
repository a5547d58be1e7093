/** ListQueues' filter: one comparison of one field, `state: PAUSED` or `retryConfig.maxAttempts >= 5`. */
import type { Queue } from './cloud-tasks-api.js';
import { refusal } from './error-catalogue.js';

type Holds = (order: number) => boolean;

const OPERATORS: Readonly<Record<string, Holds>> = {
  '<=': (order) => order <= 0,
  '>=': (order) => order >= 0,
  '!=': (order) => order !== 0,
  '<': (order) => order < 0,
  '>': (order) => order > 0,
  '=': (order) => order === 0,
  ':': (order) => order === 0,
};

const FORM = /^\s*([A-Za-z_.]+)\s*(<=|>=|!=|<|>|=|:)\s*("[^"]*"|\S+)\s*$/;

/** Field names may be camelCase or snake_case. No filter lets every queue through. */
export function queueFilter(filter: string | undefined): (queue: Queue) => boolean {
  if (!filter) return () => true;
  const [, path = '', operator = '', quoted = ''] = FORM.exec(filter) ?? [];
  const holds = OPERATORS[operator];
  if (!holds) {
    throw refusal('QUEUE_FILTER', { filter, field: 'filter' });
  }
  const keys = path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()).split('.');
  const wanted = quoted.replace(/^"|"$/g, '');
  return (queue) => holds(compare(valueAt(queue, keys), wanted));
}

function valueAt(value: unknown, keys: readonly string[]): unknown {
  return keys.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null
        ? new Map<string, unknown>(Object.entries(inner)).get(key)
        : undefined,
    value,
  );
}

/** Below zero, zero or above; NaN, for which nothing holds but `!=`, where the field is absent. */
function compare(value: unknown, wanted: string): number {
  if (typeof value === 'number') return value - Number(wanted);
  if (typeof value !== 'string') return NaN;
  return value < wanted ? -1 : value > wanted ? 1 : 0;
}

/** Shows for a person what would become of queues. */
import type { QueueChange } from '../host/queue-changes.js';

type Kind = QueueChange['kind'];

const SIGNS = { create: '+', update: '~', drift: '!', unchanged: ' ' } as const;
const COUNTED: readonly (readonly [Kind, string])[] = [
  ['create', 'to create'],
  ['update', 'to update'],
  ['drift', 'drifted'],
  ['unchanged', 'unchanged'],
];

/** Whether applying does something. */
export function isChange({ kind }: QueueChange): boolean {
  return kind === 'create' || kind === 'update';
}

/** A line a queue, and a line for each of its fields that changes. */
export function changeLines(changes: readonly QueueChange[]): string[] {
  const width = Math.max(0, ...changes.map(({ planned }) => planned.id.length));
  return changes.flatMap(({ kind, planned, differences, state }) => {
    const about = kind === 'drift' ? `drift: ${String(state)}, which the file doesn't say` : kind;
    return [
      `${SIGNS[kind]} ${planned.id.padEnd(width)}  ${about}`,
      ...differences.map((difference) => `    ${difference}`),
    ];
  });
}

/** What a file may say, and hardly anybody means whose handlers these are. */
export function attemptsNote(changes: readonly QueueChange[]): string[] {
  const ending = changes
    .map(({ planned }) => planned)
    .filter(({ settings: { retryConfig } }) => (retryConfig?.maxAttempts ?? -1) !== -1)
    .map(({ id }) => id);
  if (ending.length === 0) return [];
  return [
    `Note: by its own maxAttempts a queue drops a task that a handler's maxAttempts would park as a dead letter; -1 leaves that to the handler (${ending.join(', ')}).`,
  ];
}

/** `2 to create, 1 unchanged.` */
export function summary(changes: readonly QueueChange[]): string {
  const counts = COUNTED.flatMap(([kind, what]) => {
    const count = changes.filter((change) => change.kind === kind).length;
    return count > 0 ? [`${count} ${what}`] : [];
  });
  return counts.length > 0 ? `${counts.join(', ')}.` : 'No queues.';
}

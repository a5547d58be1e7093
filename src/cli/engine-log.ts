/** What `nest-cloud-tasks engine` writes while it runs: lines for a person, or JSON for a machine. */
import { styleText } from 'node:util';
import type { EngineEvent } from '../engine/ports.js';
import { MILLISECOND } from '../engine/time.js';
import { eventLine } from '../host/event-lines.js';
import { printable } from '../foundation/printable.js';

export const LOG_FORMATS = ['text', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

type Severity = 'debug' | 'info' | 'warning' | 'error';

const STYLES = { debug: 'dim', info: 'reset', warning: 'yellow', error: 'red' } as const;

export class EngineLog {
  constructor(
    private readonly format: LogFormat,
    private readonly stream: NodeJS.WritableStream = process.stdout,
  ) {}

  info(text: string): void {
    this.line('info', text);
  }

  warn(text: string): void {
    this.line('warning', text);
  }

  readonly event = (event: EngineEvent): void => {
    const { severity, text } = eventLine(event);
    this.line(severity, text, fieldsOf(event));
  };

  private line(severity: Severity, text: string, fields: object = {}): void {
    const now = new Date();
    if (this.format === 'json') {
      const line = { severity: severity.toUpperCase(), time: now, message: text, ...fields };
      this.stream.write(`${JSON.stringify(line)}\n`);
      return;
    }
    const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(twoDigits).join(':');
    // Without colours where they can't be shown, or NO_COLOR asks for none.
    const styled = styleText(STYLES[severity], printable(text, Infinity), { stream: this.stream });
    this.stream.write(`${time} ${styled}\n`);
  }
}

/** What a machine would else have to read out of the sentence. */
function fieldsOf(event: EngineEvent): object {
  if (event.type === 'attempt') {
    const { queue, task, dispatchCount } = event;
    return { queue, task, dispatchCount, ...endFields(event) };
  }
  if (event.type !== 'execution') return {};
  const { job, attempt, scheduleTime } = event;
  const time = new Date(scheduleTime / MILLISECOND).toISOString();
  return { job, attempt, scheduleTime: time, ...endFields(event) };
}

function endFields(event: Extract<EngineEvent, { type: 'attempt' | 'execution' }>): object {
  const { duration, result, gaveUp, retryTime } = event;
  return {
    durationMs: Math.round(duration / MILLISECOND),
    result: result.kind,
    ...(result.kind === 'response' ? { status: result.status } : {}),
    ...(retryTime === undefined
      ? { gaveUp }
      : { retryTime: new Date(retryTime / MILLISECOND).toISOString() }),
  };
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

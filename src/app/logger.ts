/** Nest's logger for the app: one JSON line each as Cloud Logging reads it, pretty on a terminal. */
import type { LoggerService } from '@nestjs/common';
import type { DestinationStream, Level, Logger } from 'pino';
import { destination, pino, stdTimeFunctions } from 'pino';
import { printable } from '../foundation/printable.js';

export interface AppLoggerOptions {
  /** For a person at a terminal rather than for a log collector. */
  readonly pretty: boolean;
  /** Whether that terminal shows colours. Default true. */
  readonly colors?: boolean;
  /** Default: standard output, written before the call returns. */
  readonly stream?: DestinationStream;
  /** What each line also tells: the task that is being handled. */
  readonly about?: () => object;
}

/** Cloud Logging's severities by pino's levels. */
const SEVERITIES: Readonly<Record<string, string>> = {
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  fatal: 'CRITICAL',
};

/** What Nest tells of each module and route at every start. */
const START_CHATTER = [
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
];

/**
 * A JSON Web Token, whole or without its signature: libraries quote them in their errors. No `\b`
 * before it: in JSON a line feed ends with a letter.
 */
const TOKEN = /eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?/g;
/** One of our API keys, of which only what follows its id is secret. */
const API_KEY = /(nct_[a-z0-9]{12}_)[\w-]+/g;

/**
 * Written against pino itself: a wrapper module would bring a line for each request, and its own
 * idea of what a request's scope is; all that Nest needs is these six methods.
 */
export class AppLogger implements LoggerService {
  private constructor(
    private readonly pino: Logger,
    private readonly about: () => object,
  ) {}

  static async create(options: AppLoggerOptions): Promise<AppLogger> {
    const stream = withoutSecrets(options.stream ?? destination({ fd: 1, sync: true }));
    const logger = pino(
      {
        base: null,
        messageKey: 'message',
        timestamp: stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ severity: SEVERITIES[label] }) },
      },
      options.pretty ? await prettyStream(stream, options.colors ?? true) : stream,
    );
    return new AppLogger(logger, options.about ?? (() => ({})));
  }

  log(message: unknown, ...rest: unknown[]): void {
    const isChatter = rest.some((part) => typeof part === 'string' && START_CHATTER.includes(part));
    this.write(isChatter ? 'debug' : 'info', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  /** Nest passes the context last, and to `error` a stack before it. */
  private write(level: Level, message: unknown, rest: readonly unknown[]): void {
    if (!this.pino.isLevelEnabled(level)) return;
    const texts = rest.filter((part) => typeof part === 'string');
    const context = texts.findLast((text) => !isStack(text));
    const stack = [message, ...rest].map(stackOf).find((text) => text !== undefined);
    const data = rest.filter((part) => isPlainObject(part));
    const { text, fields } = read(message);
    this.pino[level](
      {
        ...(context === undefined ? {} : { context }),
        ...this.about(),
        ...(fields || data.length > 0
          ? { data: Object.assign({}, fields, ...data) as object }
          : {}),
        ...(stack === undefined ? {} : { stack_trace: stack }),
      },
      text,
    );
  }
}

/** An object's `message` is the line's, and its other fields go under `data`, where none collides. */
function read(message: unknown): { text: string; fields?: object } {
  if (isErrorLike(message)) return { text: message.message };
  if (!isPlainObject(message)) return { text: String(message) };
  const { message: text, ...fields } = message as { message?: unknown };
  return { text: typeof text === 'string' ? text : '', fields };
}

function isErrorLike(value: unknown): value is Error {
  return typeof value === 'object' && value !== null && 'stack' in value && 'message' in value;
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !isErrorLike(value);
}

function isStack(text: string): boolean {
  return /\n\s+at /.test(text);
}

/** With the stacks of what caused it. */
function stackOf(value: unknown): string | undefined {
  if (typeof value === 'string') return isStack(value) ? value : undefined;
  if (!isErrorLike(value)) return undefined;
  const cause = stackOf(value.cause);
  const stack = value.stack ?? value.message;
  return cause === undefined ? stack : `${stack}\ncaused by ${cause}`;
}

/** Whatever a line is made of, it goes through here as a whole. */
function withoutSecrets(stream: DestinationStream): DestinationStream {
  return {
    write: (line) => stream.write(line.replace(TOKEN, '(token)').replace(API_KEY, '$1(secret)')),
  };
}

/** Loaded only for a terminal. What a message holds can't break its line or colour what follows. */
async function prettyStream(
  stream: DestinationStream,
  colorize: boolean,
): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty');
  const format = pretty.prettyFactory({
    messageKey: 'message',
    timestampKey: 'time',
    levelKey: 'severity',
    customLevels: 'debug:20,info:30,warning:40,error:50,critical:60',
    translateTime: 'SYS:HH:MM:ss.l',
    colorize,
    hideObject: true,
    messageFormat: (line) => {
      const { context = '', message = '', stack_trace: stack = '', ...rest } = line as Line;
      const more = { ...rest, severity: undefined, time: undefined };
      const head = context && `[${context}] `;
      const tail = JSON.stringify(more).replace('{}', '');
      return `${printable(`${head}${message} ${tail}`.trimEnd(), Infinity)}${printableLines(stack)}`;
    },
  });
  return { write: (line) => stream.write(format(line)) };
}

/** A line of ours, as pino-pretty reads it again. */
interface Line {
  readonly context?: string;
  readonly message?: string;
  readonly stack_trace?: string;
}

function printableLines(text: string): string {
  return (
    text &&
    `\n${text
      .split('\n')
      .map((line) => printable(line, Infinity))
      .join('\n')}`
  );
}

/** Foretells what an argument will be when its request has come through the app's own pipes. */
import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { HttpException, ValidationPipe } from '@nestjs/common';
import type { Difference } from '../calls/same-value.js';
import { difference } from '../calls/same-value.js';

/** Why an argument doesn't arrive: it becomes another at `path`, or a pipe refuses it. */
export type Misfit = Difference | { readonly refusal: string; readonly cause: unknown };

/** A pipe that isn't Nest's own may do anything, so it isn't run before its time. */
export type KnownPipe = PipeTransform | 'unknown';

export class Arrival {
  /** @param datesAsText whether a date that no pipe makes one again may arrive as its text */
  constructor(
    private readonly pipes: readonly KnownPipe[],
    private readonly metadata: ArgumentMetadata,
    private readonly datesAsText: boolean,
  ) {}

  /** Nothing is checked: for `validate: false`. */
  unchecked(): Arrival {
    return new Arrival(['unknown'], this.metadata, this.datesAsText);
  }

  /** The class that the parameter is declared as, if it is one of the app's own. */
  get declaredClass(): (new () => object) | undefined {
    const { metatype } = this.metadata;
    const builtIn: readonly unknown[] = [String, Number, Boolean, Array, Object, Buffer, Date];
    return typeof metatype !== 'function' || builtIn.includes(metatype)
      ? undefined
      : (metatype as new () => object);
  }

  /** Whether all its pipes are Nest's own, so that what arrives can be told. */
  get isKnown(): boolean {
    return !this.pipes.includes('unknown');
  }

  /**
   * @param raw as Express hands it out; pipes may change it
   * @param given the argument; undefined is left out of the request, so defaults may take its place
   * @returns undefined when it arrives as it was given, or nobody can tell
   */
  async misfit(raw: unknown, given: unknown): Promise<Misfit | undefined> {
    if (!this.isKnown) return undefined;
    try {
      let value = raw;
      for (const pipe of this.pipes) {
        if (pipe !== 'unknown') value = (await pipe.transform(value, this.metadata)) as unknown;
      }
      if (given === undefined) return undefined;
      const lost = difference(given, value, this.datesAsText);
      if (lost) return lost;
      if (!this.isValidated) await fallback().transform(plainCopy(given), this.metadata);
      return undefined;
    } catch (error) {
      return { refusal: reasonOf(error), cause: error };
    }
  }

  private get isValidated(): boolean {
    return (
      this.declaredClass === undefined || this.pipes.some((pipe) => pipe instanceof ValidationPipe)
    );
  }
}

let validation: ValidationPipe | undefined;

/** Checks the rules of a DTO where no pipe of the app will: made only where there is one. */
function fallback(): ValidationPipe {
  return (validation ??= new ValidationPipe({ transform: true }));
}

/** Without the prototypes, which the pipe gives; dates stay, and pipes may change the rest. */
function plainCopy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainCopy);
  if (Object.prototype.toString.call(value) !== '[object Object]') return value;
  const entries = Object.entries(value as object);
  return Object.fromEntries(entries.map(([name, field]) => [name, plainCopy(field)]));
}

/** What a pipe says in its answer, which is more than its error's message. */
function reasonOf(error: unknown): string {
  if (!(error instanceof HttpException)) return String(error);
  const response = error.getResponse();
  const { message } = (typeof response === 'object' ? response : { message: response }) as {
    message?: unknown;
  };
  if (Array.isArray(message)) return message.map(String).join('; ');
  return typeof message === 'string' ? message : JSON.stringify(message ?? error.message);
}

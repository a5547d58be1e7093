/** How many calls are open at once, in all and to one origin; beyond that nobody waits. */

/** To one origin whose rule names no number. */
const DEFAULT_CONCURRENCY = 50;

export class CallLimits {
  private open = 0;
  private readonly byOrigin = new Map<string, number>();

  constructor(private readonly most: number) {}

  /**
   * @param concurrency of the rule
   * @returns what gives the place back, once; undefined when there is none
   */
  enter(origin: string, concurrency = DEFAULT_CONCURRENCY): (() => void) | undefined {
    const here = this.byOrigin.get(origin) ?? 0;
    if (this.open >= this.most || here >= concurrency) return undefined;
    this.open++;
    this.byOrigin.set(origin, here + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.open--;
      const rest = (this.byOrigin.get(origin) ?? 1) - 1;
      if (rest === 0) this.byOrigin.delete(origin);
      else this.byOrigin.set(origin, rest);
    };
  }

  get inflight(): number {
    return this.open;
  }
}

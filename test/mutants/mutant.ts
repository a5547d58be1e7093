/** One mistake of a list, as `npm run test:mutants` makes it. */
export interface Mutant {
  readonly file: string;
  /** Occurs once in the file. */
  readonly from: string;
  readonly to: string;
  /** What it would let through, or break. */
  readonly why: string;
}

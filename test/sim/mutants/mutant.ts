// A known bug: one change of one file's text.

export type Mutant = {
  readonly name: string;
  /** From the project's root. */
  readonly file: string;
  /** Must be there exactly once. */
  readonly find: string;
  readonly replace: string;
  /** Faults that bring it to light; absent: any. */
  readonly faults?: readonly string[];
  /** So many jobs in each stack bring it to light; absent: as they come. */
  readonly jobs?: number;
};

// What the measured coordinator says to the processes of simulated agents and of the reader of its API, and what comes out in the end.

export type AgentsCommand =
  /** The first so many hosts lose their power. */
  | { readonly what: "kill"; readonly count: number }
  /** Every connection breaks at once. */
  | { readonly what: "storm" }
  | { readonly what: "count" };

export type ReaderCommand = { readonly path: string; readonly everyMs: number; readonly forMs: number };

export type Count = { readonly running: number; readonly beats: number };

/** Milliseconds that answers of one path took. */
export type Reads = {
  readonly path: string;
  readonly count: number;
  readonly failures: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
};

export const PARTS = ["connecting", "placing", "resting", "all connections broken", "nodes lost"] as const;
export type Part = (typeof PARTS)[number];

/** One row of the table. */
export type Measured = {
  readonly nodes: number;
  readonly tasks: number;
  readonly connectedSeconds: number;
  readonly placedSeconds: number;
  readonly healthySeconds: number;
  readonly beatMicroseconds: number;
  /** Of one core, with all tasks running and nothing to do. */
  readonly restPercent: number;
  readonly whilePlacing: readonly Reads[];
  readonly atRest: readonly Reads[];
  readonly rssMegabytes: number;
  readonly lostNodes: number;
  readonly replacedTasks: number;
  readonly replacedSeconds: number;
  readonly stormSeconds: number;
  readonly falseLosses: number;
  /** The longest that the coordinator's event loop stood still in each part of the measurement. */
  readonly longestStallMs: Readonly<Record<Part, number>>;
};

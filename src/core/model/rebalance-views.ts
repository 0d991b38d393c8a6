// What a rebalance would move, or moves, as users see it.

/** Which tasks a rebalance moves, and why others stay. */
export type RebalanceView = {
  readonly dryRun: boolean;
  readonly revision: number;
  readonly moves: readonly MoveView[];
  /** Services of which no task is moved although one might be, with the reason. */
  readonly stays: readonly { readonly service: string; readonly reason: string }[];
};
export type MoveView = {
  readonly service: string;
  readonly serviceId: string;
  readonly task: string;
  readonly taskId: string;
  readonly from: string;
  readonly to: string;
  readonly nodeId: string;
  /** "tasks of the same version: 3 there, 1 on n4" */
  readonly why: string;
};

// Checks of what the code itself promises. A failure is a bug of davit's, never a user's error: the process ends, and a restart reloads.

/** Throws when something that must always hold does not. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}

/** Ends a switch over a union: a new member without a case is a type error. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`);
}

// Randomness as an input: the simulator's is a function of its seed.

export interface Random {
  bytes(length: number): Uint8Array;
  /** 0 ≤ x < 1. */
  fraction(): number;
}

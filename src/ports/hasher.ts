// Content hashes. Synchronous, so that what the simulator runs never awaits a thread pool.

export interface Hasher {
  /** Lower-case hex of SHA-256 over UTF-8. */
  hash(text: string): string;
  /** Lower-case hex of SHA-256 over the bytes. */
  hashBytes(bytes: Uint8Array): string;
}

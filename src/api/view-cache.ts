// Answers that were made already: the JSON text of a read, kept until anything changes, or for a quarter of a second, because what nodes
// measure changes without a commit. Under load a read is then a look-up; what a reader sees is never older than its own last write.

/** Distinct reads that are kept; more than the pages of a dashboard and the commands of a busy team. */
const MAX_ENTRIES = 256;
/** Bounds how old a figure that changes without a commit can be. */
const MAX_AGE_MS = 250;

type Entry = { readonly text: string; readonly etag: string | undefined; readonly atMs: number };

export class ViewCache {
  readonly #entries = new Map<string, Entry>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const ageMs = this.#nowMs() - entry.atMs;
    return ageMs >= 0 && ageMs < MAX_AGE_MS ? entry : undefined;
  }

  put(key: string, text: string, etag: string | undefined): void {
    if (this.#entries.size >= MAX_ENTRIES) this.#entries.clear();
    this.#entries.set(key, { text, etag, atMs: this.#nowMs() });
  }

  /** Something was committed: nothing of before may be shown. */
  clear(): void {
    this.#entries.clear();
  }
}

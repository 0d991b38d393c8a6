// Counts by service, from counters that each worker of the proxy has by backend and that end with it. What a worker counted since the last look is
// added to the service that the backend served; what was seen is kept with the sums, in one file, so that nothing is counted twice or
// left out when the agent restarts. What an old worker counts after the last look at it is not seen.

import {
  addCounts,
  countsSince,
  type IngressCounts,
  type IngressFigures,
  NO_FIGURES,
  type NodeIngressFigures,
  sumFigures,
} from "../../../../src/core/model/ingress-figures.ts";
import type { IngressFiles } from "./ingress-files.ts";
import type { BackendSample } from "./running.ts";

export const FIGURES_FILE = "ingress-figures.json";
/** The file may be behind by this: nothing is lost while the workers live, because they count on. */
const KEEP_EVERY_MS = 60_000;

type Kept = {
  /** By worker and backend, as a sample's key: what the counters were at the last look. */
  readonly seen: Readonly<Record<string, IngressCounts>>;
  /** By service. */
  readonly sums: Readonly<Record<string, IngressCounts>>;
};

export type MeterContext = {
  readonly files: IngressFiles;
  /** Milliseconds that only grow. */
  readonly bootMs: () => number;
};

export class Meter {
  readonly #context: MeterContext;
  #kept: Kept | undefined;
  #keptAtMs = 0;
  #now: ReadonlyMap<string, readonly IngressFigures[]> = new Map();

  constructor(context: MeterContext) {
    this.#context = context;
  }

  /** `samples`: by worker and backend; `serviceOf`: whom a backend serves; `services`: those that have routes: others are forgotten. */
  async take(
    samples: ReadonlyMap<string, BackendSample>,
    serviceOf: (backend: string) => string | undefined,
    services: ReadonlySet<string>,
  ): Promise<void> {
    const before = await this.#load();
    const sums: Record<string, IngressCounts> = {};
    for (const id of services) sums[id] = before.sums[id] ?? NO_FIGURES;
    const seen: Record<string, IngressCounts> = {};
    const now = new Map<string, IngressFigures[]>();
    for (const [key, sample] of samples) {
      const { counts, open, firstByteMs, tookMs } = sample;
      if (isNone(counts)) continue;
      seen[key] = counts;
      const id = serviceOf(key.slice(key.indexOf("/") + 1));
      const sum = id === undefined ? undefined : sums[id];
      if (id === undefined || sum === undefined) continue;
      sums[id] = addCounts(sum, countsSince(counts, before.seen[key] ?? NO_FIGURES));
      now.set(id, [...(now.get(id) ?? []), { ...counts, open, firstByteMs, tookMs }]);
    }
    const hasEnded = Object.keys(before.seen).some((key) => seen[key] === undefined);
    this.#kept = { seen, sums };
    this.#now = now;
    if (hasEnded || this.#context.bootMs() - this.#keptAtMs >= KEEP_EVERY_MS) await this.keep();
  }

  /** What was told once is never told as less: it is on the disk before. */
  async keep(): Promise<void> {
    if (this.#kept === undefined) return;
    await this.#context.files.write(FIGURES_FILE, JSON.stringify(this.#kept));
    this.#keptAtMs = this.#context.bootMs();
  }

  /** As of the last look. */
  get figures(): NodeIngressFigures {
    return Object.entries(this.#kept?.sums ?? {}).map(([serviceId, counts]) => {
      const { open, firstByteMs, tookMs } = sumFigures(this.#now.get(serviceId) ?? []);
      return { serviceId, figures: { ...counts, open, firstByteMs, tookMs } };
    });
  }

  /** No service has routes. */
  async forget(): Promise<void> {
    this.#kept = { seen: {}, sums: {} };
    this.#now = new Map();
    await this.#context.files.remove(FIGURES_FILE);
  }

  async #load(): Promise<Kept> {
    if (this.#kept !== undefined) return this.#kept;
    try {
      const text = await this.#context.files.read(FIGURES_FILE);
      if (text !== undefined) return JSON.parse(text) as Kept;
    } catch {
      // damaged: counting begins anew, as the first look at a node does
    }
    return { seen: {}, sums: {} };
  }
}

function isNone({ requests, bytesIn, rejected }: IngressCounts): boolean {
  return requests === 0 && bytesIn === 0 && rejected === 0;
}

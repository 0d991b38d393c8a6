// Takes away images that davit used here and that nothing needs any more: after some days, or sooner when the disk fills up. Images of
// the present work are never touched, nor are those that davit never used: they are somebody else's.

import { reasonOf } from "../../../src/core/model/errors.ts";
import type { Clock, Timer } from "../../../src/ports/clock.ts";
import type { ContainerEngine } from "../../../src/ports/container-engine.ts";
import type { Log } from "../../../src/ports/log.ts";
import type { AgentCore } from "../agent-core.ts";
import { diskBytes } from "../host/proc.ts";
import type { AgentDisk } from "../state/disk.ts";
import { readState } from "../state/read-state.ts";

const FILE = "images.json";
const ROUND_MS = 3_600_000;
/** Long enough to roll back to without a pull. */
export const KEEP_UNUSED_MS = 7 * 24 * 3_600_000;
/** Above this share of the disk unused images go at once, the longest unused first. */
export const FULL_FRACTION = 0.85;

/** Image reference → when it was last in this node's work, wall clock. */
export type ImageUse = Readonly<Record<string, number>>;

/** References to remove, the longest unused first. Pure. */
export function planCollection(
  used: ImageUse,
  needed: ReadonlySet<string>,
  diskFraction: number,
  nowMs: number,
): readonly string[] {
  const keepMs = diskFraction > FULL_FRACTION ? 0 : KEEP_UNUSED_MS;
  return Object.entries(used)
    .filter(([reference, lastMs]) => !needed.has(reference) && nowMs - lastMs > keepMs)
    .toSorted((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1))
    .map(([reference]) => reference);
}

export type CollectorContext = {
  readonly engine: ContainerEngine;
  readonly disk: AgentDisk;
  readonly clock: Clock;
  readonly log: Log;
  readonly core: AgentCore;
  readonly diskOf: () => string;
};

export class ImageCollector {
  readonly #context: CollectorContext;
  #timer: Timer | undefined;

  constructor(context: CollectorContext) {
    this.#context = context;
  }

  start(): void {
    this.#timer = this.#context.clock.after(ROUND_MS / 6, () => void this.#again());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  async #again(): Promise<void> {
    try {
      await this.collect();
    } catch (error) {
      this.#context.log.warn("cannot collect images", { reason: reasonOf(error) });
    }
    this.#timer = this.#context.clock.after(ROUND_MS, () => void this.#again());
  }

  /** One round: note what is in use, remove what has not been for long. */
  async collect(): Promise<void> {
    const { engine, disk, clock, log, core, diskOf } = this.#context;
    const nowMs = clock.nowMs();
    const needed = new Set(
      [...core.held.tasks.values()].filter((work) => work.desired === "running").map((work) => work.container.image),
    );
    const used: Record<string, number> = { ...((await readState(disk, FILE)) as ImageUse | undefined) };
    for (const reference of core.view.images.keys()) used[reference] ??= nowMs;
    for (const reference of needed) used[reference] = nowMs;
    const space = diskBytes(diskOf());
    for (const reference of planCollection(used, needed, 1 - space.free / space.total, nowMs)) {
      try {
        await engine.removeImage(reference);
        core.view.images.delete(reference);
        delete used[reference];
        log.info("image removed: unused", { image: reference });
      } catch (error) {
        log.info("image kept", { image: reference, reason: reasonOf(error) });
      }
    }
    await disk.write(FILE, JSON.stringify(used));
  }
}

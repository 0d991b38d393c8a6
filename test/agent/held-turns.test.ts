// Two sessions of a coordinator at once, as on a host that stood still: the older one's last word is still being written when the newer one's
// arrives. What is held afterwards, in memory and on the disk, is the newer.

import { describe, expect, test } from "vitest";
import { HeldRoutes } from "../../workers/agent/state/held-routes.ts";
import { HeldWork } from "../../workers/agent/state/held-work.ts";
import { IssuerKeys } from "../../workers/agent/trust/issuer-keys.ts";
import { settle } from "../fakes/fake-clock.ts";
import { MemoryDisk } from "../fakes/memory-disk.ts";

const OLDER = { epoch: 5, generation: 20 };
const NEWER = { epoch: 16, generation: 89 };

/** A disk on which the first write takes longer than those that are asked for while it lasts. */
class UnevenDisk extends MemoryDisk {
  override async write(name: string, text: string): Promise<void> {
    const isFirst = this.#asked === 0;
    this.#asked += 1;
    if (isFirst) await this.#slow.promise;
    await super.write(name, text);
  }

  #asked = 0;
  readonly #slow = Promise.withResolvers<void>();

  endFirst(): void {
    this.#slow.resolve();
  }
}

describe("what an older session still writes does not come after what a newer one brought", () => {
  test.each([
    ["work.json", (disk: MemoryDisk) => HeldWork.load(disk)],
    ["routes.json", (disk: MemoryDisk) => HeldRoutes.load(disk)],
  ])("what is held as %s is of the newer session", async (name, load) => {
    const disk = new UnevenDisk();
    const held = await load(disk);
    const older = held.receive({ ...OLDER, put: {}, drop: [] });
    const newer = held.receive({ ...NEWER, put: {}, drop: [] });
    await settle();
    disk.endFirst();
    await Promise.all([older, newer]);
    expect(held.position).toEqual(NEWER);
    expect(JSON.parse(disk.durable.get(name) ?? "")).toMatchObject({ position: NEWER });
  });

  test("the keys of the issuer are of the newer session", async () => {
    const disk = new UnevenDisk();
    const keys = await IssuerKeys.load(disk, ["joined"]);
    const older = keys.replace(["old"]);
    const newer = keys.replace(["new"]);
    await settle();
    disk.endFirst();
    await Promise.all([older, newer]);
    expect(keys.all).toEqual(["new"]);
    expect(JSON.parse(disk.durable.get("issuers.json") ?? "")).toMatchObject({ keys: ["new"] });
  });

  test("an older one that comes later is stale, also right behind the newer", async () => {
    const held = await HeldWork.load(new MemoryDisk());
    const newer = held.receive({ ...NEWER, put: {}, drop: [] });
    const older = held.receive({ ...OLDER, put: {}, drop: [] });
    expect((await newer).kind).toBe("kept");
    expect((await older).kind).toBe("stale");
  });

  test("a write that fails holds up nothing that comes after it", async () => {
    const disk = new MemoryDisk();
    const held = await HeldWork.load(disk);
    disk.refusal = "no space left";
    await expect(held.receive({ ...OLDER, put: {}, drop: [] })).rejects.toThrow("no space left");
    disk.refusal = undefined;
    expect((await held.receive({ ...NEWER, put: {}, drop: [] })).kind).toBe("kept");
  });
});

// What every Store promises, whatever is below it: the SQLite one and the simulator's both pass this.

import { describe, expect, test } from "vitest";
import type { Change, EventDraft } from "../../src/core/model/records.ts";
import type { Commit, Store } from "../../src/ports/store.ts";

/** A place where a store's data are, and ways to open it: again after an orderly close, and once more beside one that was not closed. */
export type StorePlace = { readonly open: () => Promise<Store> };

export function put(id: string, index = 1): Change {
  return { op: "put", kind: "registryLogin", record: { id, index, username: "u", sealedPassword: "s" } };
}

export function commitOf(epoch: number, changes: readonly Change[], more: Partial<Commit> = {}): Commit {
  return { epoch, atMs: 1, changes, guards: [], events: [], audit: [], ...more };
}

const event: EventDraft = { type: "a.b", subject: { kind: "service", id: "s", name: "s" }, message: "m" };

/** The suite. `settle`: what the world below does when it is waited for. */
export function describeStore(
  name: string,
  newPlace: () => StorePlace,
  settle: <Result>(asked: Promise<Result>) => Promise<Result>,
): void {
  const begun = async (place: StorePlace, epoch = 1): Promise<Store> => {
    const store = await settle(place.open());
    await settle(store.beginEpoch({ epoch, nonce: `n${epoch}` }));
    return store;
  };

  describe(`a store: ${name}`, () => {
    test("is empty at first, at revision 0 and without an epoch", async () => {
      const loaded = await settle((await settle(newPlace().open())).load());
      expect(loaded.revision).toBe(0);
      expect(loaded.chain).toEqual([]);
      expect(loaded.state.registryLogin.size).toBe(0);
    });

    test("has what was committed after it is closed and opened again, in order, each commit a revision", async () => {
      const place = newPlace();
      const first = await begun(place);
      expect((await settle(first.commit(commitOf(1, [put("a"), put("b")])))).revision).toBe(1);
      const second = commitOf(1, [{ op: "delete", kind: "registryLogin", id: "a" }, put("b", 2)]);
      expect((await settle(first.commit(second))).revision).toBe(2);
      await settle(first.putSetting(1, "hold", "1"));
      await settle(first.close());
      const loaded = await settle((await settle(place.open())).load());
      expect([...loaded.state.registryLogin.values()]).toEqual([
        { id: "b", index: 2, username: "u", sealedPassword: "s" },
      ]);
      expect(loaded.revision).toBe(2);
      expect(loaded.chain).toEqual([{ epoch: 1, nonce: "n1" }]);
      expect(loaded.settings.get("hold")).toBe("1");
    });

    test("takes epochs one after the other, and refuses one that is not the next", async () => {
      const store = await begun(newPlace());
      for (const epoch of [1, 3])
        await expect(settle(store.beginEpoch({ epoch, nonce: "x" }))).rejects.toMatchObject({ code: "forked_history" });
      await settle(store.beginEpoch({ epoch: 2, nonce: "n2" }));
      expect((await settle(store.load())).chain.map(({ nonce }) => nonce)).toEqual(["n1", "n2"]);
    });

    test("refuses commits and settings of an epoch that is not the newest, and stays as it was", async () => {
      const store = await begun(newPlace());
      await settle(store.beginEpoch({ epoch: 2, nonce: "n2" }));
      await expect(settle(store.commit(commitOf(1, [put("a")])))).rejects.toMatchObject({ code: "forked_history" });
      await expect(settle(store.putSetting(1, "hold", "1"))).rejects.toMatchObject({ code: "forked_history" });
      const loaded = await settle(store.load());
      expect(loaded.state.registryLogin.size).toBe(0);
      expect(loaded.revision).toBe(0);
      expect(loaded.settings.size).toBe(0);
    });

    test("refuses the whole commit if one guard does not hold: absent means index 0", async () => {
      const store = await begun(newPlace());
      const guard = (id: string, index: number) => ({ kind: "registryLogin", id, index }) as const;
      await settle(store.commit(commitOf(1, [put("a")], { guards: [guard("a", 0)] })));
      for (const wrong of [guard("a", 0), guard("a", 2), guard("b", 1)]) {
        const commit = commitOf(1, [put("a", 2), put("b")], { guards: [wrong], events: [event] });
        await expect(settle(store.commit(commit))).rejects.toMatchObject({ code: "out_of_sequence" });
      }
      const loaded = await settle(store.load());
      expect([...loaded.state.registryLogin.values()].map(({ index }) => index)).toEqual([1]);
      expect(loaded.revision).toBe(1);
      expect((await settle(store.events(0, 10))).events).toEqual([]);
      await settle(store.commit(commitOf(1, [put("a", 2)], { guards: [guard("a", 1), guard("b", 0)] })));
      expect((await settle(store.load())).revision).toBe(2);
    });

    test("refuses the whole commit if a number that is to be whole has a fraction", async () => {
      const store = await begun(newPlace());
      await expect(settle(store.commit(commitOf(1, [put("a"), put("b", 1.5)])))).rejects.toThrow(/1\.5|whole|INTEGER/);
      expect((await settle(store.load())).state.registryLogin.size).toBe(0);
    });

    test("numbers events and audit in the order of their commits, with the commit's revision and time", async () => {
      const store = await begun(newPlace());
      const entry = { actor: "socket", action: "a", subject: "s", outcome: "ok", message: "" } as const;
      const told = await settle(store.commit(commitOf(1, [put("a")], { events: [event, event], atMs: 7 })));
      expect(told.events.map(({ seq, revision, atMs }) => [seq, revision, atMs])).toEqual([
        [1, 1, 7],
        [2, 1, 7],
      ]);
      await settle(store.commit(commitOf(1, [], { events: [event], audit: [entry] })));
      const page = await settle(store.events(1, 10));
      expect(page.events.map(({ seq, revision }) => [seq, revision])).toEqual([
        [2, 1],
        [3, 2],
      ]);
      expect(page.newestSeq).toBe(3);
      expect((await settle(store.events(0, 1))).events.map(({ seq }) => seq)).toEqual([1]);
      expect((await settle(store.audit(0, 10))).map(({ seq, revision }) => [seq, revision])).toEqual([[1, 2]]);
    });
  });
}

// When the issuer gets a new signing key, and how long an old one is kept.

import { describe, expect, test } from "vitest";
import { KEY_KEPT_MS, KEY_LIFE_MS, planKeys, rotate } from "../../src/coordinator/key-rotation.ts";
import { asId } from "../../src/core/model/ids.ts";
import type { IssuerKey } from "../../src/core/model/records.ts";
import { applyChanges, emptyState, type MutableState } from "../../src/core/model/world.ts";

function key(id: string, createdAtMs: number): IssuerKey {
  return { id, publicJwk: "{}", sealedPrivateJwk: "", createdAtMs };
}

function stateWith(...keys: readonly IssuerKey[]): MutableState {
  const state = emptyState();
  for (const one of keys) state.issuerKey.set(one.id, one);
  return state;
}

describe("the issuer's keys", () => {
  test("a young key stays alone, a month-old one gets a successor and retires", () => {
    const state = stateWith(key("a", 0));
    expect(planKeys(state, KEY_LIFE_MS - 1).isNewDue).toBe(false);
    applyChanges(state, rotate(state, KEY_LIFE_MS, key("b", KEY_LIFE_MS)).changes);
    expect([...state.issuerKey.keys()]).toEqual(["a", "b"]);
    expect(state.issuerKey.get("a")?.retiredAtMs).toBe(KEY_LIFE_MS);
    expect(rotate(state, KEY_LIFE_MS + 1, key("c", KEY_LIFE_MS + 1)).changes).toEqual([]);
  });

  test("a retired key is dropped when nodes and tokens have no use for it any more, not before", () => {
    const retired: IssuerKey = { ...key("a", 0), retiredAtMs: KEY_LIFE_MS };
    const nowMs = KEY_LIFE_MS + KEY_KEPT_MS;
    const state = stateWith(retired, key("b", nowMs));
    expect(planKeys(state, nowMs - 1).drop).toEqual([]);
    expect(planKeys(state, nowMs).drop).toEqual([retired]);
    const token = {
      id: asId<"token">("t"),
      index: 1,
      name: "t",
      role: "viewer",
      createdAtMs: 5,
      expiresAtMs: nowMs * 2,
    } as const;
    state.userToken.set("t", token);
    expect(planKeys(state, nowMs).drop).toEqual([]);
    state.userToken.set("t", { ...token, revokedAtMs: 6 });
    expect(planKeys(state, nowMs).drop).toEqual([retired]);
  });

  test("a state without a key gets one", () => {
    expect(planKeys(stateWith(), 1).isNewDue).toBe(true);
  });
});

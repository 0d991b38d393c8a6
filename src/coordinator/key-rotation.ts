// Rotates the issuer's signing key without a restart: a new one every month, the old ones kept for as long as anything that they signed
// may still be shown. What to do is decided by a pure function; this loop only looks at the clock now and then.

import { reasonOf } from "../core/model/errors.ts";
import type { IssuerKey, UserToken } from "../core/model/records.ts";
import type { State } from "../core/model/world.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { CommitDoor, Draft } from "./commit-door.ts";

const DAY_MS = 86_400_000;
/** A key signs for a month. */
export const KEY_LIFE_MS = 30 * DAY_MS;
/** Nodes that were away for less still know the key that was the newest when they left. */
export const KEY_KEPT_MS = 100 * DAY_MS;
const LOOK_EVERY_MS = 3_600_000;

/** What is due: a new key (it is then the newest, and signs), old ones to mark as retired, and those that nothing needs any more. Pure. */
export function planKeys(
  state: State,
  nowMs: number,
): { readonly isNewDue: boolean; readonly retire: readonly IssuerKey[]; readonly drop: readonly IssuerKey[] } {
  const keys = [...state.issuerKey.values()].sort((a, b) => b.createdAtMs - a.createdAtMs);
  const [newest, ...older] = keys;
  const isNewDue = newest === undefined || nowMs - newest.createdAtMs >= KEY_LIFE_MS;
  const retire = isNewDue && newest !== undefined ? [newest] : [];
  const tokens = [...state.userToken.values()].filter(
    (token) => token.revokedAtMs === undefined && token.expiresAtMs > nowMs,
  );
  const drop = older.filter(
    (key) => nowMs - (key.retiredAtMs ?? nowMs) >= KEY_KEPT_MS && !tokens.some((token) => isBy(key, token)),
  );
  return { isNewDue, retire, drop };
}

function isBy(key: IssuerKey, token: UserToken): boolean {
  return token.createdAtMs >= key.createdAtMs && token.createdAtMs <= (key.retiredAtMs ?? Number.POSITIVE_INFINITY);
}

/** The changes of one rotation. Pure. */
export function rotate(
  state: State,
  nowMs: number,
  made: IssuerKey | undefined,
): Draft & { readonly result: undefined } {
  const { isNewDue, retire, drop } = planKeys(state, nowMs);
  const changes: Draft["changes"] = [
    ...drop.map((key) => ({ op: "delete", kind: "issuerKey", id: key.id }) as const),
    ...(isNewDue && made !== undefined
      ? [
          ...retire.map((key) => ({ op: "put", kind: "issuerKey", record: { ...key, retiredAtMs: nowMs } }) as const),
          { op: "put", kind: "issuerKey", record: made } as const,
        ]
      : []),
  ];
  return { changes, result: undefined };
}

/** Looks at start and then every hour. */
export function startKeyRotation(input: {
  readonly door: CommitDoor;
  readonly clock: Clock;
  readonly log: Log;
  readonly newKey: () => Promise<IssuerKey>;
}): { stop(): void } {
  const { door, clock, log, newKey } = input;
  let timer: Timer | undefined;
  async function look(): Promise<void> {
    const due = planKeys(door.state, clock.nowMs());
    if (!due.isNewDue && due.drop.length === 0) return;
    const made = due.isNewDue ? await newKey() : undefined;
    await door.commit((state) => rotate(state, clock.nowMs(), made));
    log.info("the issuer's keys were rotated", { added: made?.id, dropped: due.drop.length });
  }
  function tick(): void {
    look().catch((error: unknown) => log.error("rotate keys", { reason: reasonOf(error) }));
    timer = clock.after(LOOK_EVERY_MS, tick);
  }
  tick();
  return { stop: () => timer?.cancel() };
}

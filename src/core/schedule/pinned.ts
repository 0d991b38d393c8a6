// What keeps a task from being made beside itself on another node: data on a node's disk, and volumes that two must not write to. Pure.

import { isPinnedVolume, type TaskTemplate } from "../model/service-spec.ts";
import type { State } from "../model/world.ts";

/** Why a task of this template cannot be moved start-first, in words; undefined if it can. */
export function runsPinned(state: State, { container, onLeaseLost }: TaskTemplate): string | undefined {
  if (onLeaseLost === "stop") return "it must never run twice, so it would have to stop before another one starts";
  const mounted = container.mounts.filter((mount) => mount.kind === "volume");
  for (const volume of state.volume.values()) {
    if (!isPinnedVolume(volume) || !mounted.some((mount) => mount.volume === volume.name)) continue;
    if ((state.volumePin.get(volume.id)?.nodeIds.length ?? 0) > 0)
      return `its volume ${volume.name} is on one node's disk`;
  }
  const written = mounted.find((mount) => !mount.readOnly);
  return written === undefined
    ? undefined
    : `it writes to volume ${written.volume}, so it would have to stop before another one starts`;
}

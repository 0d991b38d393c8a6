// Removal of a volume from the state. The data on nodes is not touched: nothing that deletes data happens by itself. Pure.

import { DavitError } from "../model/errors.ts";
import type { Volume } from "../model/records.ts";
import type { Command } from "./command.ts";
import { mounts } from "./deploy-stack.ts";
import { Draft } from "./draft.ts";
import { resolveRef } from "./resolve.ts";

/** Throws `in_use` while a service mounts it, or a task that has it has not ended. */
export function removeVolume(ref: string): Command<Volume> {
  return (state) => {
    const volume = resolveRef("volume", state.volume.values(), ref);
    const users = [...state.service.values()]
      .filter((service) => mounts(state, service, volume))
      .map((service) => service.name);
    if (users.length > 0) {
      throw new DavitError(
        "in_use",
        `remove volume ${volume.name}: ${users.join(", ")} ${users.length === 1 ? "mounts" : "mount"} it`,
        { wayOut: "remove the services first" },
      );
    }
    const isHeld = [...state.task.values()].some(
      (task) => task.desired === "running" && task.volumes.includes(volume.name),
    );
    if (isHeld)
      throw new DavitError("in_use", `remove volume ${volume.name}: a task that is stopping still has it`, {
        wayOut: "try again when it has stopped",
      });
    const draft = new Draft();
    draft.remove("volume", volume);
    draft.change({ op: "delete", kind: "volumePin", id: volume.id });
    draft.event({
      type: "volume.removed",
      subject: { kind: "volume", id: volume.id, name: volume.name },
      message: `volume ${volume.name} removed: forgotten; its data stays on the node`,
    });
    return draft.finish(volume);
  };
}

// Handlers: volumes and networks.

import { resolveRef } from "../../core/commands/resolve.ts";
import { removeVolume } from "../../core/commands/volumes.ts";
import { type Api, bind, mutate, requireStack } from "../bind.ts";
import * as routes from "../routes/volumes.ts";
import { networkView, volumeView } from "../views/records.ts";

export function bindVolumes(api: Api): void {
  const { parts } = api;
  const { backend } = parts;
  const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);

  bind(api, routes.listVolumes, () => {
    const { state } = backend.world();
    return [...state.volume.values()].map((volume) => volumeView(state, volume)).sort(byName);
  });
  bind(api, routes.removeVolume, async ({ params, actor }) => {
    const volume = resolveRef("volume", backend.world().state.volume.values(), params.ref);
    requireStack(parts, actor, "volume.remove", volume.stack);
    await mutate(parts, actor, "volume.remove", removeVolume(volume.id));
    return undefined;
  });
  bind(api, routes.listNetworks, () => [...backend.world().state.network.values()].map(networkView).sort(byName));
}

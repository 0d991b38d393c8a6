// The small records as the API shows them: volumes, networks, tokens, registry logins, events, audit entries. Pure.

import type { AuditEntry, DavitEvent, Network, RegistryLogin, UserToken, Volume } from "../../core/model/records.ts";
import type { AuditView, EventView, NetworkView, RegistryView, TokenView, VolumeView } from "../../core/model/views.ts";
import type { State } from "../../core/model/world.ts";
import { iso, maybe } from "./time.ts";

export function volumeView(state: State, volume: Volume): VolumeView {
  const { id, name, stack, driver, external } = volume;
  const nodes = (state.volumePin.get(id)?.nodeIds ?? []).map((nodeId) => state.node.get(nodeId)?.name ?? nodeId);
  return { id, name, ...maybe("stack", stack), driver, external, nodes };
}

export function networkView({ id, name, stack, driver, external }: Network): NetworkView {
  return { id, name, ...maybe("stack", stack), driver, external };
}

export function tokenView(token: UserToken, lastUsedMs: number | undefined): TokenView {
  return {
    id: token.id,
    name: token.name,
    role: token.role,
    ...maybe("stack", token.stack),
    createdAt: iso(token.createdAtMs),
    expiresAt: iso(token.expiresAtMs),
    ...maybe("revokedAt", token.revokedAtMs === undefined ? undefined : iso(token.revokedAtMs)),
    ...maybe("lastUsedAt", lastUsedMs === undefined ? undefined : iso(lastUsedMs)),
  };
}

export function registryView({ id, username }: RegistryLogin): RegistryView {
  return { host: id, username };
}

export function eventView({ atMs, ...event }: DavitEvent): EventView {
  return { ...event, at: iso(atMs) };
}

export function auditView({ atMs, ...entry }: AuditEntry): AuditView {
  return { ...entry, at: iso(atMs) };
}

// What stands in a container's /etc/resolv.conf. No search list of our own: the resolver knows short names by who asks, and musl, glibc and
// busybox disagree on when to search. Pure.

import type { MeshRoutes } from "../../../../src/core/model/routes.ts";
import type { TaskWork } from "../../../../src/core/model/work.ts";
import { RESOLV_CONF } from "../../engine/create-body.ts";
import { gatewayOf } from "./zone.ts";

/**
 * The own node's resolver, and a peer's for while the own agent restarts. A task with `dns` of its own has no second one: peers do not know
 * whom to ask for it.
 */
export function renderResolvConf(task: TaskWork, mesh: MeshRoutes, nodeId: string): string {
  const { dns = [], dnsSearch = [], dnsOptions = [] } = task.container.runtime;
  const nodes = mesh.nodes.toSorted((a, b) => a.number - b.number);
  const at = nodes.findIndex((node) => node.nodeId === nodeId);
  const servers = [nodes[at], ...(dns.length > 0 || nodes.length < 2 ? [] : [nodes[(at + 1) % nodes.length]])];
  const options = ["timeout:1", "attempts:3", ...dnsOptions];
  const lines = [
    `# ${task.serviceName}, by davit: written again when it changes`,
    ...servers.flatMap((node) => (node === undefined ? [] : [`nameserver ${gatewayOf(node.subnet)}`])),
    ...(dnsSearch.length === 0 ? [] : [`search ${dnsSearch.join(" ")}`]),
    `options ${options.join(" ")}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Whether a task's container is given one: not where it has the host's, no network at all, or one of its user's. */
export function hasOwnResolvConf(task: TaskWork): boolean {
  const { networkMode, mounts } = task.container;
  return networkMode === undefined && !mounts.some(({ target }) => target === RESOLV_CONF);
}

/** Nameservers of a resolv.conf text, in order, without those to leave out. */
export function nameserversIn(text: string, except: ReadonlySet<string>): readonly string[] {
  const servers = text.split("\n").flatMap((line) => /^\s*nameserver\s+([0-9a-fA-F.:]+)/.exec(line)?.[1] ?? []);
  return [...new Set(servers)].filter((server) => !except.has(server));
}

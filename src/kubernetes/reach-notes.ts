// What of how a service is reached Kubernetes does in a way of its own, or not at all. Pure.

import type { ServiceContext } from "./context.ts";

export function noteReach({ spec, note }: ServiceContext): void {
  const { endpointMode, balance, drainMs, policy } = spec.reach ?? {};
  if (endpointMode === "dnsrr")
    note("deploy.endpoint_mode", "dnsrr: its Service has an address of its own", "set clusterIP: None in the Service");
  if (balance === "client")
    note("x-davit.balance", "client: connections are spread at random", "set sessionAffinity: ClientIP in the Service");
  if (drainMs !== undefined)
    note(
      "x-davit.drain",
      `${drainMs} ms: a pod is asked to stop at once, whoever is connected`,
      "give it a preStop hook that sleeps, and a longer stop_grace_period",
    );
  if (spec.scale !== undefined) {
    const { min, idleMs, ports } = spec.scale;
    note(
      "x-davit.scale",
      `{min: ${min}, idle: ${idleMs} ms}, woken at ${ports.join(", ")}: a Deployment keeps its replicas`,
      "use an autoscaler that can scale to zero",
    );
  }
  if (policy === undefined) return;
  const callers = policy.map(({ from, ports }) => {
    const written = ports.map(({ port, protocol }) => (protocol === "tcp" ? `${port}` : `${port}/${protocol}`));
    return `${from} (${written.join(", ")})`;
  });
  note(
    "x-davit.policy",
    `only ${callers.join(", ") || "nobody"} may call it: here all may that share a network`,
    "write a NetworkPolicy for it",
  );
}

// How the engine is told to make the bridge, by its version: without masquerading and without filters of its own for what comes by the mesh,
// since davit's rules do both for all nodes alike. Pure.

const MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade";
const GATEWAY_MODE = "com.docker.network.bridge.gateway_mode_ipv4";
/** From this version on the engine drops packets to containers that did not come by its own bridge, unless the bridge's mode says otherwise. */
const FIRST_WITH_FILTER = 28;

/** Options of the bridge on an engine of this version ("20.10.24+dfsg1"), for links of this MTU. */
export function bridgeOptions(name: string, engineVersion: string, mtu: number): Readonly<Record<string, string>> {
  const major = Number.parseInt(engineVersion, 10);
  return {
    "com.docker.network.bridge.name": name,
    // the address of the sender is kept between nodes; what leaves the cluster is masqueraded by davit's rules
    [MASQUERADE]: "false",
    "com.docker.network.driver.mtu": String(mtu),
    ...(major >= FIRST_WITH_FILTER ? { [GATEWAY_MODE]: "nat-unprotected" } : {}),
  };
}

/** What of a bridge that is there keeps nodes from reaching each other, in words; undefined when nothing does. Its MTU is no such thing. */
export function bridgeFault(
  there: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): string | undefined {
  const differing = [MASQUERADE, GATEWAY_MODE].filter((option) => there[option] !== wanted[option]);
  if (differing.length === 0) return undefined;
  return differing.map((option) => `${option.split(".").at(-1)} is ${there[option] ?? "not set"}`).join(", ");
}

// Which port of the bridge may speak under which address: a table of its own, `bridge davit`, where a frame is seen before the bridge learns or
// forwards anything. A port that nobody has seated yet is judged by its node's subnet alone, as all are in `ip davit`. Pure.

import type { Ruleset } from "./ruleset.ts";

/** The port of one container: its link on the host, by name and number, and what the engine gave the container. */
export type Seat = {
  readonly containerId: string;
  readonly port: string;
  /** Number of the link; a name comes again, a number does not. */
  readonly index: number;
  readonly address: string;
  readonly mac: string;
};

export const PORT_TABLE = "bridge davit";

/** ARP that only asks whether an address is free names none (0.0.0.0), and tells neighbours nothing. */
export function planPorts(seats: readonly Seat[]): Ruleset {
  const elements = (key: (seat: Seat) => string): ReadonlyMap<string, string> =>
    new Map(seats.map((seat) => [key(seat), ""] as const).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return {
    table: PORT_TABLE,
    sets: new Map([
      ["seats", { type: "ifname", elements: elements(({ port }) => `"${port}"`) }],
      ["links", { type: "ifname . ether_addr", elements: elements(({ port, mac }) => `"${port}" . ${mac}`) }],
      [
        "addresses",
        { type: "ifname . ipv4_addr", elements: elements(({ port, address }) => `"${port}" . ${address}`) },
      ],
    ]),
    chains: new Map([
      [
        "check_seat",
        {
          rules: [
            "iifname . ether saddr != @links drop",
            "iifname . ip saddr != @addresses drop",
            "arp saddr ip != 0.0.0.0 iifname . arp saddr ip != @addresses drop",
          ],
        },
      ],
      [
        "check_ports",
        {
          hook: "type filter hook prerouting priority filter; policy accept;",
          rules: ["iifname @seats goto check_seat"],
        },
      ],
    ]),
  };
}

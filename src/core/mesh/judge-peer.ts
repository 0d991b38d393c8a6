// What a node measured on its way to another, and what is wrong with it, in words and with the way out. Pure.

/** Measured by one agent, towards one peer. */
export type PeerMeasurement = {
  readonly nodeId: string;
  readonly name: string;
  /** What the peer is sent to, "192.0.2.7:51820". */
  readonly endpoint: string;
  readonly encryption: "wireguard" | "off";
  /** Absent: the peer's agent never told its key. */
  readonly hasKey: boolean;
  /** Seconds since the last handshake; absent if there was none, or without encryption. */
  readonly handshakeAgoS?: number;
  /** Whether the peer's host answers a ping outside of the mesh; absent where that could not be tried. */
  readonly hostAnswers?: boolean;
  /** Small packets through the mesh: how many were sent and came back, and the median round trip. */
  readonly small: { readonly sent: number; readonly back: number; readonly medianMs?: number };
  /** The same of the largest that the link carries. */
  readonly full: { readonly sent: number; readonly back: number; readonly bytes: number };
  /** One TCP connection, one way; absent if it failed or was not tried. */
  readonly bitsPerSecond?: number;
};

export type PeerVerdict = {
  readonly verdict: "good" | "poor" | "bad";
  /** Empty when good. */
  readonly problem: string;
  readonly wayOut: string;
};

const GOOD: PeerVerdict = { verdict: "good", problem: "", wayOut: "" };
/** Share of small packets that may be lost on a busy line before it is worth a word. */
const BORNE_LOSS = 0.1;

/** One sentence on the way from a node to a peer. */
export function judgePeer(from: string, measured: PeerMeasurement): PeerVerdict {
  const { small, full, name } = measured;
  if (small.back === 0) return judgeSilence(from, measured);
  if (full.back === 0)
    return {
      verdict: "bad",
      problem: `packets of ${full.bytes} bytes from ${from} to ${name} get lost, small ones arrive: something between them carries less than their links say`,
      wayOut: `lower the MTU of the hosts' links (ip link set dev LINK mtu 1400, on both, and in their network configuration); the mesh follows within a minute`,
    };
  const lost = 1 - small.back / small.sent;
  if (lost > BORNE_LOSS)
    return {
      verdict: "poor",
      problem: `${Math.round(lost * 100)} % of the packets from ${from} to ${name} get lost`,
      wayOut: `look at the line between them: ping -f ${measured.endpoint.replace(/:\d+$/, "")} on ${from}`,
    };
  return GOOD;
}

function judgeSilence(
  from: string,
  { name, endpoint, encryption, hasKey, handshakeAgoS, hostAnswers }: PeerMeasurement,
): PeerVerdict {
  const host = endpoint.replace(/:\d+$/, "");
  if (encryption === "wireguard" && !hasKey)
    return {
      verdict: "bad",
      problem: `${name} has not told a key for the mesh yet`,
      wayOut: `see what its agent waits for: davit node ls, and \`journalctl -u davit-agent\` on ${name}`,
    };
  if (hostAnswers === false)
    return {
      verdict: "bad",
      problem: `${name} does not answer ${from} at ${host}, within the mesh or outside of it`,
      wayOut: `see that ${name} is up and that ${host} is where its peers reach it (davit node inspect ${name})`,
    };
  if (encryption === "wireguard" && handshakeAgoS === undefined)
    return {
      verdict: "bad",
      problem: `${from} and ${name} never shook hands: packets to UDP ${endpoint} get lost, or the answers do`,
      wayOut: `open UDP ${endpoint.split(":").at(-1) ?? ""} both ways: the hosts' firewalls, security groups, routers; a host behind a router needs a public endpoint`,
    };
  return {
    verdict: "bad",
    problem: `nothing comes back to ${from} from ${name} through the mesh${handshakeAgoS === undefined ? "" : `, though they shook hands ${Math.round(handshakeAgoS)} s ago`}`,
    wayOut: `see on ${name} that davit-agent runs and that no other firewall drops what comes by davit-wg (nft list ruleset)`,
  };
}

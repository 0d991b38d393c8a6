// Names and numbers of what the mesh puts into a host's kernel, chosen to stay clear of what others use. Data only.

/** The encrypted link, one for all peers. */
export const MESH_LINK = "davit-wg";
/** VXLAN to all peers: inside of the encrypted link, or straight on the hosts' own network with encryption off. */
export const TUNNEL_LINK = "davit-vx";
export const TUNNEL_ID = 7373;
/** UDP port of the tunnel's outer packets. */
export const TUNNEL_PORT = 7373;
/** Table for connections that entered here by a published port; number J's replies are in the table J after it. */
export const FIRST_TABLE = 7300;
/** Preferences 7300–7559 are ours: first the tunnel's own packets, then published ports, then one for each peer. */
export const FIRST_RULE = 7300;
export const LAST_RULE = 7559;
/** Mark of packets that entered here by a published port. */
export const PUBLISHED_MARK = 0x10000;
/** Marks of packets whose connection entered at node J: PEER_MARK + J, under PEER_MASK. */
export const PEER_MARK = 0x100;
export const PEER_MASK = 0x1ff;
/** Origin of our routes, by which they are found again. */
export const ROUTE_PROTOCOL = 73;
/** The table of packet rules that is the mesh's own. */
export const MESH_TABLE = "davit_mesh";

/** Link address of a node's end of the tunnel. */
export function tunnelAddress(number: number): string {
  return `02:64:76:00:00:${number.toString(16).padStart(2, "0")}`;
}

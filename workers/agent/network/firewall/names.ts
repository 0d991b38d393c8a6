// Names and numbers of the packet rules in a host's kernel. Data only.

export const TABLE = "ip davit";
/** Packets that the guards let through carry it, so that the engine's own firewall can be told to let them through too. */
export const PASSED_MARK = 0x20000;
/** Connections to services that may fall asleep. A mark of connections, where the others are of packets. */
export const CALLED_MARK = 0x40000;
/** Origin of the route to services' addresses, by which it is found again: not the mesh's, which takes away what it does not know. */
export const SERVICE_ROUTE_PROTOCOL = 74;

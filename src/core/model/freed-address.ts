// Addresses that nobody has any more, and that nobody may be given yet. Pure.

/**
 * An address that was a task's or a service's, or a removed node's subnet: nobody else gets it as long as a node that was not removed may
 * have routes with it. Written by whatever takes it from its holder, dropped by the control loop. Key: the address, or the subnet.
 */
export type FreedAddress = {
  readonly id: string;
  /** The first routes without it; absent until the control loop has looked. */
  readonly generation?: number;
};

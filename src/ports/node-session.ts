// The two streams to a node's agent, as the coordinator's session loop sees them. The SSH adapter and the simulator implement it.

import type { AgentFrame, CoordinatorFrame } from "../core/protocol/frames.ts";

/** One open control stream: frames in order, until it closes. */
export interface ControlStream {
  send(frame: CoordinatorFrame): void;
  /** Called for each frame, in order. Set before anything is read. */
  onFrame(receive: (frame: AgentFrame) => void): void;
  /** Called once, with why. */
  onClose(closed: (reason: string) => void): void;
  close(reason: string): void;
}

/** How to reach agents. */
export interface AgentDialer<Target> {
  /** Opens the control stream of a node; rejects with `ssh_failed` in words. `via`: through another node's connection. */
  control(target: Target, via?: Target): Promise<ControlStream>;
  /** Whether the node's SSH server answers with the pinned key through another node: the second look before it counts as lost. */
  isReachableVia(target: Target, via: Target): Promise<boolean>;
}

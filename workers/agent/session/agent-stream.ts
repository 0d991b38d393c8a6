// One control stream as the agent sees it. A unix socket's adapter and the simulator implement it.

import type { AgentFrame, CoordinatorFrame } from "../../../src/core/protocol/frames.ts";

export interface AgentStream {
  send(frame: AgentFrame): void;
  /** Called for each frame, in order. */
  onFrame(receive: (frame: CoordinatorFrame) => void): void;
  /** Called once, with why. */
  onClose(closed: (reason: string) => void): void;
  close(reason: string): void;
}

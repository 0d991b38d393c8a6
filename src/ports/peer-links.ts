// How an agent reaches the agents of its peers, and whether a container answers: TCP over the mesh. The simulator stands in for it.

import type { PeerFrame } from "../core/protocol/peer-frames.ts";

/** One stream between two agents: frames in order, until it closes. What comes in is only known to be an object with a type. */
export interface PeerStream {
  send(frame: PeerFrame): void;
  /** Called for each frame, in order. Set before anything is read. */
  onFrame(receive: (frame: { readonly type: string }) => void): void;
  /** Called once, with why. */
  onClose(closed: (reason: string) => void): void;
  close(reason: string): void;
}

export interface PeerLinks {
  /** Opens a stream to the agent at a mesh address; rejects in words, within seconds. */
  dial(address: string): Promise<PeerStream>;
  /** Listens at a mesh address, in place of what it listened at before; nothing happens when it does already. Rejects while the address is not there. */
  listenAt(address: string, accept: (stream: PeerStream, from: string) => void): Promise<void>;
  /** Whether a container's kernel answers at its address, with a refusal at least, within half a second. */
  answers(address: string): Promise<boolean>;
  close(): void;
}

// How the way between two nodes is shown. Pure.

/** The way from one node to another through the mesh, as it was measured just now. */
export type PeerCheckView = {
  readonly from: string;
  readonly to: string;
  /** What the other node is sent to, outside of the mesh. */
  readonly endpoint: string;
  readonly verdict: "good" | "poor" | "bad";
  /** What is wrong, and what to do; empty when nothing is. */
  readonly problem: string;
  readonly wayOut: string;
  /** Milliseconds there and back, the median; absent when nothing came back. */
  readonly latencyMs?: number;
  /** Share of small packets that did not come back, 0–1. */
  readonly loss: number;
  /** Bytes of the largest packets, and whether they arrive. */
  readonly mtu: number;
  readonly carriesFullPackets: boolean;
  /** Of one connection, one way; absent unless it was asked for and worked. */
  readonly bitsPerSecond?: number;
};

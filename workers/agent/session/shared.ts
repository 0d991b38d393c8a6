// What the sessions of one agent share, and what they are told through. AgentCore provides it; the simulator can, too.

import type { TaskStatus } from "../../../src/core/model/records.ts";
import type { Welcome } from "../../../src/core/protocol/frames.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import type { Log } from "../../../src/ports/log.ts";
import type { Verifier } from "../../../src/ports/signer.ts";
import type { HeldRoutes } from "../state/held-routes.ts";
import type { HeldWork } from "../state/held-work.ts";
import type { IssuerTime } from "../trust/issuer-time.ts";
import type { IssuerKeys } from "../trust/issuer-keys.ts";
import type { AgentSession } from "./agent-session.ts";
import type { EpochKeeper } from "./epoch-keeper.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";

export interface SessionShared {
  readonly nodeId: string;
  readonly agentVersion: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly verifier: Verifier;
  readonly epochs: EpochKeeper;
  readonly lease: LeaseKeeper;
  readonly held: HeldWork;
  readonly routes: HeldRoutes;
  readonly issuerTime: IssuerTime;
  readonly issuerKeys: IssuerKeys;
  newNonce(): string;
  /** The agent's own token that answers a coordinator's challenge. */
  signChallenge(challenge: string): Promise<string>;
  nodeFacts(): Promise<Welcome["node"]>;
  statuses(): readonly TaskStatus[];
  /** Tasks whose work says remove, and of which nothing is left. */
  goneTasks(): readonly string[];
  /** The session is open: it is the only one from now on. */
  opened(session: AgentSession): void;
  ended(session: AgentSession, reason: string): void;
  /** Work was made durable; these sections changed. */
  workReceived(changed: readonly string[]): void;
  /** Routes were made durable. */
  routesReceived(): void;
  /** Sends received and applied positions, if there are any. */
  sendProgress(): void;
}

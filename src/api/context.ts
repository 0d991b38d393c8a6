// What every part of the API shares: how a request came in, who asks, and what the application was made with. Types only.

import type { Context } from "hono";
import type { Log } from "../ports/log.ts";
import type { Signer, Verifier } from "../ports/signer.ts";
import type { Backend } from "./backend.ts";
import type { StreamLimit } from "./limits.ts";
import type { SocketHandlers } from "./websocket.ts";

/** Who asks: the owner of the socket, or a token. */
export type Actor = {
  /** "socket", or the token's name: as it stands in the audit trail. */
  readonly name: string;
  readonly scopes: readonly string[];
};

/** How the request came in. */
export type Transport = "socket" | "tcp";

export type ApiEnv = {
  readonly Bindings: {
    readonly transport: Transport;
    /** Turns the request into a websocket; false if it is none. */
    readonly upgrade: (request: Request, handlers: SocketHandlers) => boolean;
  };
  readonly Variables: { actor: Actor };
};

export type ApiContext = Context<ApiEnv>;

export type ApiOptions = {
  /** Default: the package's. */
  readonly version?: string;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly log: Log;
  /** The TCP side listens beyond loopback, so it may be addressed by any name. */
  readonly anyHost?: boolean;
  /** How often an idle event stream shows that it is alive. Default 15 s. */
  readonly keepAliveMs?: number;
};

/** What handlers are given. */
export type Parts = {
  readonly backend: Backend;
  readonly options: ApiOptions;
  readonly streams: StreamLimit;
};

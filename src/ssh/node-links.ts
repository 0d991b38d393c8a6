// The coordinator's ways to its nodes: a control connection for each session, one bulk connection for everything else, and streams through
// another node when the direct way is silent. All with the cluster's key, as the user davit, with pinned host keys.

import type { Duplex } from "node:stream";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import type { Node } from "../core/model/records.ts";
import type { HostShell } from "../ports/host-shell.ts";
import type { AgentDialer, ControlStream } from "../ports/node-session.ts";
import {
  BULK_KEEP_ALIVE,
  connect,
  type Connection,
  CONTROL_KEEP_ALIVE,
  type Hop,
  type KeepAlive,
} from "./connection.ts";
import { dialSocket } from "./dial.ts";
import { openFrameStream } from "./frame-stream.ts";
import type { HandshakeGates } from "./gate.ts";
import { SshHostShell } from "./host-shell.ts";
import { BULK_SOCKET, CONTROL_SOCKET, USER } from "./paths.ts";

/** What reaching a node takes. A Node record is one. */
export type NodeTarget = Pick<Node, "id" | "name" | "address" | "hostKey" | "jump">;

/** A lease is 6 s: a host that is down must be known in time for a second look. */
const CONNECT_TIMEOUT_MS = 3_000;
const HANDSHAKE_TIMEOUT_MS = 5_000;
/** A stream to a socket of a host that answers takes one round trip. */
const DIAL_TIMEOUT_MS = 5_000;

type Link = { readonly address: string; readonly opening: Promise<Connection> };

export type NodeLinksInput = {
  /** PEM text of the cluster's private key. */
  readonly privateKey: string;
  readonly gates: HandshakeGates;
};

/** Opens and keeps connections to nodes. It does not reconnect by itself: who wants a stream asks again, at its own pace. */
export class NodeLinks implements AgentDialer<NodeTarget> {
  readonly #input: NodeLinksInput;
  readonly #bulk = new Map<string, Link>();
  readonly #control = new Map<string, Connection>();
  #isClosed = false;

  constructor(input: NodeLinksInput) {
    this.#input = input;
  }

  /** Opens a connection of its own for the stream; both end together. */
  async control(target: NodeTarget, via?: NodeTarget): Promise<ControlStream> {
    const connection = await this.#open(target, CONTROL_KEEP_ALIVE, via);
    try {
      const duplex = await this.#dial(connection, CONTROL_SOCKET, target);
      this.#control.set(target.id, connection);
      void this.#forgetControl(target.id, connection);
      return openFrameStream(duplex, connection.closed, () => connection.close());
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  async isReachableVia(target: NodeTarget, via: NodeTarget): Promise<boolean> {
    try {
      const connection = await this.#open(target, CONTROL_KEEP_ALIVE, via);
      connection.close();
      return true;
    } catch {
      return false;
    }
  }

  /** A stream to the agent's HTTP socket, over the node's bulk connection, which is opened if there is none. For `createConnection` of node:http. */
  async bulkDial(target: NodeTarget): Promise<Duplex> {
    const connection = await this.#bulkConnection(target);
    return await this.#dial(connection, BULK_SOCKET, target);
  }

  /** A shell as the user davit, over the bulk connection: the key allows few commands, such as the removal. */
  async shell(target: NodeTarget): Promise<HostShell> {
    return new SshHostShell(await this.#bulkConnection(target), { rootAccess: "is-root" });
  }

  /** Ends the connections of a node that was removed. */
  forget(id: string): void {
    this.#control.get(id)?.close();
    this.#drop(id);
  }

  /** Ends all connections; none is opened after it. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#control.values()) connection.close();
    for (const id of this.#bulk.keys()) this.#drop(id);
  }

  async #forgetControl(id: string, connection: Connection): Promise<void> {
    await connection.closed;
    if (this.#control.get(id) === connection) this.#control.delete(id);
  }

  #drop(id: string): void {
    const link = this.#bulk.get(id);
    this.#bulk.delete(id);
    link?.opening.then(
      (connection) => connection.close(),
      () => undefined,
    );
  }

  async #bulkConnection(target: NodeTarget): Promise<Connection> {
    const address = JSON.stringify([target.address, target.hostKey, target.jump]);
    const known = this.#bulk.get(target.id);
    if (known?.address === address) return await known.opening;
    this.#drop(target.id);
    const opening = this.#openBulk(target);
    const link: Link = { address, opening };
    this.#bulk.set(target.id, link);
    const forget = (): void => {
      if (this.#bulk.get(target.id) === link) this.#bulk.delete(target.id);
    };
    opening.then((connection) => connection.closed.then(forget), forget);
    return await opening;
  }

  /** While the session with a node goes through another one, the direct way is not worth its timeout. */
  async #openBulk(target: NodeTarget): Promise<Connection> {
    const through = this.#control.get(target.id)?.through;
    return await this.#connect(target, BULK_KEEP_ALIVE, through);
  }

  async #open(target: NodeTarget, keepAlive: KeepAlive, via: NodeTarget | undefined): Promise<Connection> {
    if (via === undefined) return await this.#connect(target, keepAlive, undefined);
    const through = this.#control.get(via.id) ?? (await this.#bulkConnection(via));
    return await this.#connect(target, keepAlive, through);
  }

  async #connect(target: NodeTarget, keepAlive: KeepAlive, through: Connection | undefined): Promise<Connection> {
    if (this.#isClosed) throw new DavitError("unavailable", `connect to ${target.name}: the coordinator is stopping`);
    const credentials = { identities: [this.#input.privateKey] };
    // through another node its own way is taken, not the way that the coordinator would go
    const jump = through === undefined ? target.jump : [];
    const hops = jump.map((hop): Hop => ({
      target: hop,
      credentials,
      hostKeyRule: { kind: "pinned", hostKey: hop.hostKey },
    }));
    const last: Hop = {
      target: { user: USER, ...target.address },
      credentials,
      hostKeyRule: { kind: "pinned", hostKey: target.hostKey },
    };
    const [first, ...rest] = hops;
    return await connect(first === undefined ? [last] : [first, ...rest, last], {
      gates: this.#input.gates,
      keepAlive,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
      ...(through === undefined ? {} : { through }),
    });
  }

  async #dial(connection: Connection, path: string, target: NodeTarget): Promise<Duplex> {
    const dialling = dialSocket(connection, path);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        dialling.then(
          (late) => late.destroy(),
          () => undefined,
        );
        reject(
          new DavitError(
            "ssh_failed",
            `reach the agent of ${target.name}: no answer within ${DIAL_TIMEOUT_MS / 1000} s`,
          ),
        );
      }, DIAL_TIMEOUT_MS);
    });
    try {
      return await Promise.race([dialling, timeout]);
    } catch (error) {
      throw error instanceof DavitError
        ? error
        : new DavitError("ssh_failed", `reach the agent of ${target.name}: ${reasonOf(error)}`, {
            cause: error,
          });
    } finally {
      clearTimeout(timer);
    }
  }
}

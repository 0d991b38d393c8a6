// The coordinator's real session code with real keys, as much of it as one node's conversation needs: who is connected, what was heard,
// what is to be sent. Several can be made with one key: starts of one coordinator, or a copy of its data gone astray.

import type { EpochChain } from "../../src/core/model/lease.ts";
import { asId } from "../../src/core/model/ids.ts";
import type { Node, TaskStatus } from "../../src/core/model/records.ts";
import type { Routes } from "../../src/core/model/routes.ts";
import type { Work } from "../../src/core/model/work.ts";
import type { Claims } from "../../src/ports/signer.ts";
import { createIssuerKey, type IssuerKeyPair } from "../../src/auth/keys.ts";
import { createSigner } from "../../src/auth/signer.ts";
import { createVerifier } from "../../src/auth/verifier.ts";
import { NodeSession } from "../../src/coordinator/node-session.ts";
import { RoutesChanges } from "../../src/coordinator/routes-sender.ts";
import { createTrust } from "../../src/coordinator/trust.ts";
import { type FakeClock } from "../fakes/fake-clock.ts";
import { AgentWorld, CLUSTER_ID, NODE, NODE_ID, sectionsOf, silentLog } from "./agent-world.ts";
import { createLink, type Link } from "./link.ts";

export type Keys = { readonly issuer: IssuerKeyPair; readonly agent: IssuerKeyPair };

export async function createKeys(): Promise<Keys> {
  return { issuer: await createIssuerKey(), agent: await createIssuerKey() };
}

/** An agent that trusts the issuer of these keys and signs with its own. */
export function agentWith(keys: Keys): AgentWorld {
  return new AgentWorld(undefined, {
    verifier: createVerifier,
    signer: createSigner(() => [{ ...keys.agent, createdAtMs: 0 }]),
    joined: [keys.issuer.publicJwk],
  });
}

export class CoordinatorSide {
  readonly heard: TaskStatus[] = [];
  readonly closed: string[] = [];
  readonly forked: string[] = [];
  applied: number[] = [];
  routesApplied: number[] = [];
  /** Grows with each change of `routes`. */
  routesVersion = 0;
  routes: Routes["sections"] = {};
  beats = 0;
  revision = 1;
  sections: Work["sections"] = sectionsOf([NODE]);
  /** What was reported of tasks before. */
  readonly known = new Map<string, TaskStatus>();
  /** Base64 of the configs that the node may have. */
  readonly configs = new Map<string, string>();
  issuer: IssuerKeyPair;
  readonly #keys: Keys;
  readonly #chain: EpochChain;
  readonly #clock: FakeClock;

  /** `clock`: this side's own, which need not show what the agent's does. */
  constructor(keys: Keys, chain: EpochChain, clock: FakeClock) {
    this.#keys = keys;
    this.issuer = keys.issuer;
    this.#chain = chain;
    this.#clock = clock;
  }

  /** The open token's claims, changed as a test says, signed with `signedBy`. */
  tamper: (claims: Claims) => Claims = (claims) => claims;
  signedBy: IssuerKeyPair | undefined;

  /** Begins an opening on a new stream to the agent. */
  connect(world: AgentWorld, prepare: (link: Link) => void = () => {}): { link: Link; opening: Promise<NodeSession> } {
    const link = createLink();
    prepare(link);
    const opening = NodeSession.open(this.#node(), link.coordinator, {
      clock: this.#clock,
      log: silentLog,
      trust: createTrust({
        cluster: { id: asId(CLUSTER_ID), name: "lab", createdAtMs: 0, addressPool: "10.210.0.0/16" },
        epoch: this.#chain.at(-1) ?? { epoch: 0, nonce: "" },
        clock: this.#clock,
        signerFor: () => {
          const key = this.signedBy ?? this.issuer;
          const signer = createSigner(() => [{ ...key, createdAtMs: 0 }]);
          return { sign: (claims) => signer.sign(this.tamper(claims)) };
        },
        verifierOf: (jwk) => createVerifier(() => [jwk]),
        issuerKeys: () => [this.issuer.publicJwk],
      }),
      chain: this.#chain,
      newNonce: () => "coordinator-nonce",
      configOf: (_, config) => this.configs.get(config),
      sections: () => ({ revision: this.revision, sections: this.sections }),
      statusOf: (taskId) => this.known.get(taskId),
      routes: () => ({ revision: this.revision, version: this.routesVersion, sections: this.routes }),
      routesChanges: new RoutesChanges(),
      isFreeForRoutes: (session) => session.sendRoutes(),
      events: {
        beat: () => void this.beats++,
        observed: (_, frame) => void this.heard.push(...frame.tasks),
        facts: () => {},
        measured: () => {},
        called: () => {},
        progress: (_, { workApplied, routesApplied }) => {
          if (workApplied !== undefined) this.applied.push(workApplied);
          if (routesApplied !== undefined) this.routesApplied.push(routesApplied);
        },
        closed: (_, reason) => void this.closed.push(reason),
        forked: (_, message) => void this.forked.push(message),
      },
    });
    opening.catch(() => {});
    world.core.accept(link.agent);
    return { link, opening };
  }

  #node(): Node {
    return {
      id: NODE_ID,
      index: 1,
      name: "n1",
      address: { host: "10.0.0.11", port: 22 },
      hostKey: "",
      agentKey: this.#keys.agent.publicJwk,
      jump: [],
      labels: {},
      availability: "active",
      subnet: NODE.subnet,
      reserved: { cpus: 0, memoryBytes: 0, generic: {} },
      joinedAtMs: 0,
    };
  }
}

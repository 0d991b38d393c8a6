// The start of a coordinator: adds its epoch to the chain before anything else, then makes sure that the cluster, its signing key and
// its SSH key exist. At the first start they are made; ever after they are found.

import { createIssuerKey } from "../auth/keys.ts";
import { seal } from "../auth/seal.ts";
import { ID_BYTES, idFromBytes } from "../core/model/ids.ts";
import { invariant } from "../core/model/invariant.ts";
import type { EpochChain } from "../core/model/lease.ts";
import type { Change, Cluster, IssuerKey } from "../core/model/records.ts";
import type { State } from "../core/model/world.ts";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import type { Loaded, Store } from "../ports/store.ts";
import { createKeyPair } from "../ssh/key-pair.ts";

/** Starts that agents are told of: a node that missed more of them than this must be joined again. */
const PRESENTED_EPOCHS = 1_000;

/** Adds this start to the chain, durably, and gives the chain as agents see it. */
export async function beginEpoch(store: Store, loaded: Loaded, random: Random): Promise<EpochChain> {
  const newest = loaded.chain.at(-1)?.epoch ?? 0;
  const next = { epoch: newest + 1, nonce: idFromBytes(random.bytes(ID_BYTES)) };
  await store.beginEpoch(next);
  return [...loaded.chain, next].slice(-PRESENTED_EPOCHS);
}

/** What a cluster cannot be without, as changes; none after the first start. */
export async function foundingChanges(
  state: State,
  input: {
    readonly clock: Clock;
    readonly random: Random;
    readonly secretKey: Uint8Array;
    readonly addressPool: string;
    readonly encryption?: Cluster["encryption"];
    readonly meshPort?: number;
  },
): Promise<readonly Change[]> {
  const { clock, random, secretKey } = input;
  const changes: Change[] = [];
  const nowMs = clock.nowMs();
  if (state.cluster.size === 0) {
    const cluster: Cluster = {
      id: idFromBytes<"cluster">(random.bytes(ID_BYTES)),
      name: "default",
      createdAtMs: nowMs,
      addressPool: input.addressPool,
      ...(input.encryption === undefined ? {} : { encryption: input.encryption }),
      ...(input.meshPort === undefined ? {} : { meshPort: input.meshPort }),
    };
    changes.push({ op: "put", kind: "cluster", record: cluster });
  }
  if (state.issuerKey.size === 0) {
    changes.push({ op: "put", kind: "issuerKey", record: await newIssuerKey(secretKey, clock) });
  }
  if (state.clusterKey.size === 0) {
    const pair = createKeyPair("davit cluster");
    changes.push({
      op: "put",
      kind: "clusterKey",
      record: { id: "cluster", publicKey: pair.publicKey, sealedPrivateKey: seal(secretKey, pair.privateKey) },
    });
  }
  return changes;
}

/** A new signing key, its private half sealed. */
export async function newIssuerKey(secretKey: Uint8Array, clock: Clock): Promise<IssuerKey> {
  const { kid, publicJwk, privateJwk } = await createIssuerKey();
  return { id: kid, publicJwk, sealedPrivateJwk: seal(secretKey, privateJwk), createdAtMs: clock.nowMs() };
}

/** The one cluster of a state that has begun. */
export function clusterOf(state: State): Cluster {
  const [cluster] = state.cluster.values();
  invariant(cluster !== undefined, "a state that has begun has a cluster");
  return cluster;
}

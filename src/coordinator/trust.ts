// The tokens between coordinator and agents: what they claim, and what a node's answer must claim. Signatures are behind ports.

import { DavitError } from "../core/model/errors.ts";
import type { Epoch } from "../core/model/lease.ts";
import type { Cluster, Node } from "../core/model/records.ts";
import type { Clock } from "../ports/clock.ts";
import type { Signer, Verifier } from "../ports/signer.ts";
import type { SessionTrust } from "./node-session.ts";

/** A call's token is used at once; the agent judges expiry by issuer time, so a wrong clock on the node does not matter. */
const TOKEN_LIFE_S = 60;

export type TrustInput = {
  readonly cluster: Cluster;
  readonly epoch: Epoch;
  readonly clock: Clock;
  /** Signs with the newest of the issuer's keys; of those named, if any is still there. */
  readonly signerFor: (keyIds: readonly string[] | undefined) => Signer;
  /** Verifies what one key (JWK text) signed. */
  readonly verifierOf: (publicJwk: string) => Verifier;
  readonly issuerKeys: () => readonly string[];
};

export type Trust = SessionTrust & {
  /** A short-lived token for calls to one agent with one scope. */
  readonly agentToken: (node: Node, scope: string) => Promise<string>;
};

export function createTrust(input: TrustInput): Trust {
  const { cluster, epoch, clock, signerFor } = input;
  const sign = (node: Node, scope: string, challenge?: string, keyIds?: readonly string[]): Promise<string> => {
    const iat = Math.floor(clock.nowMs() / 1_000);
    return signerFor(keyIds).sign({
      iss: cluster.id,
      sub: "coordinator",
      aud: node.id,
      scope,
      iat,
      exp: iat + TOKEN_LIFE_S,
      epoch: epoch.epoch,
      epochNonce: epoch.nonce,
      ...(challenge === undefined ? {} : { challenge }),
    });
  };
  return {
    openToken: (node, challenge, knownKeys) => sign(node, "agent:work", challenge, knownKeys),
    agentToken: (node, scope) => sign(node, scope),
    issuerKeys: input.issuerKeys,
    checkWelcome: async (node, token, challenge) => {
      const claims = await input.verifierOf(node.agentKey).verify(token);
      // bound by the challenge, not by time: the node's clock may be wrong
      if (claims.iss === node.id && claims.aud === "coordinator" && claims.challenge === challenge) return;
      throw new DavitError("unauthenticated", `open session with ${node.name}: its answer is not for this session`, {
        wayOut: `if the host was set up anew, davit node rm --force ${node.name} and join it again`,
      });
    },
  };
}

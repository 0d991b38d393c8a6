// Identity of a service's spec: over what it means, not how it was written. Replicas are left out, because scaling is no new version. Pure.

import { canonicalJson } from "./canonical.ts";
import type { ServiceMode, ServiceSpec } from "./service-spec.ts";

export type SpecHashes = {
  /** Over everything but the number of replicas: a difference is a new version. */
  readonly hash: string;
  /** Over the template: only a difference here replaces tasks. */
  readonly templateHash: string;
};

/** `hash`: a digest of a text, such as SHA-256 in hex. */
export function specHashes(spec: ServiceSpec, hash: (text: string) => string): SpecHashes {
  return {
    hash: hash(canonicalJson({ ...spec, mode: withoutCount(spec.mode) })),
    templateHash: hash(canonicalJson(spec.template)),
  };
}

function withoutCount(mode: ServiceMode): unknown {
  switch (mode.kind) {
    case "replicated":
    case "global":
    case "global-job":
      return { kind: mode.kind };
    case "replicated-job":
      return mode;
  }
}

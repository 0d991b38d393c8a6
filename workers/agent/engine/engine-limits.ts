// What a task needs that an engine's API does not have yet. An old engine drops fields that it does not know without a word: so it is asked
// for nothing that its API lacks. Pure.

import type { ContainerSpec } from "../../../src/core/model/service-spec.ts";

type Need = {
  readonly key: string;
  readonly minor: number;
  readonly docker: string;
  readonly isUsed: (spec: ContainerSpec) => boolean;
};

const NEEDS: readonly Need[] = [
  { key: "annotations", minor: 43, docker: "24", isUsed: ({ runtime }) => runtime.annotations !== undefined },
  {
    key: "volumes[].volume.subpath",
    minor: 45,
    docker: "26",
    isUsed: ({ mounts }) => mounts.some((mount) => mount.kind === "volume" && mount.subpath !== undefined),
  },
];

/** "annotations needs Docker 24 (API 1.43); the engine here speaks API 1.41", or undefined when the engine can do all. `api`: "1.41". */
export function lackOf(spec: ContainerSpec, api: string): string | undefined {
  const minor = Number(api.split(".")[1]);
  const lacking = NEEDS.filter((need) => minor < need.minor && need.isUsed(spec));
  if (lacking.length === 0) return undefined;
  const words = lacking.map((need) => `${need.key} needs Docker ${need.docker} (API 1.${need.minor})`);
  return `${words.join(", ")}; the engine here speaks API ${api}: upgrade it, or leave the key out`;
}

// A document in sections as an agent holds it, and how a delta changes it: in the order of (epoch, generation), on the base it was made for.
// Pure.

import type { WorkPosition } from "../../../src/core/model/work.ts";

type Sections<Section> = Readonly<Record<string, Section>>;

export type Delta<Section> = WorkPosition & {
  readonly base?: WorkPosition;
  readonly put: Sections<Section>;
  readonly drop: readonly string[];
};

export type Taken<Section> =
  | {
      readonly kind: "taken";
      readonly position: WorkPosition;
      readonly sections: Sections<Section>;
      /** Keys whose sections came, went or differ. */
      readonly changed: readonly string[];
    }
  | { readonly kind: "stale" }
  | { readonly kind: "resync" };

/** What is held after a delta, or why it cannot be taken over. */
export function takeDelta<Section extends { readonly hash: string }>(
  held: WorkPosition | undefined,
  before: Sections<Section>,
  delta: Delta<Section>,
): Taken<Section> {
  if (held !== undefined && comparePositions(delta, held) < 0) return { kind: "stale" };
  if (delta.base !== undefined && (held === undefined || comparePositions(delta.base, held) !== 0))
    return { kind: "resync" };
  const sections: Record<string, Section> = delta.base === undefined ? {} : { ...before };
  for (const key of delta.drop) delete sections[key];
  Object.assign(sections, delta.put);
  const changed = [...new Set([...Object.keys(sections), ...Object.keys(before)])].filter(
    (key) => sections[key]?.hash !== before[key]?.hash,
  );
  return { kind: "taken", position: { epoch: delta.epoch, generation: delta.generation }, sections, changed };
}

/** Order of documents: by epoch, then by generation. */
export function comparePositions(a: WorkPosition, b: WorkPosition): number {
  return a.epoch !== b.epoch ? a.epoch - b.epoch : a.generation - b.generation;
}

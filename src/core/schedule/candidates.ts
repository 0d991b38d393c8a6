// Nodes that take a task, best first, kept from one task of a service to the next: a placement changes one node, and the others stand as
// they did. So a thousand tasks of one service cost little more than a thousand looks at the nodes that they were given. Pure.

import type { Asking, Wanted } from "./asking.ts";
import { refusal } from "./filters.ts";
import { homelessOf } from "./homes.ts";
import type { NodeUse } from "./ledger.ts";
import { ranking, scoresOf } from "./ranking.ts";

/** The nodes that take tasks of one version, in order. Owned by one plan, with its ledger. */
export class Candidates {
  readonly #wanted: Wanted;
  readonly #isBetter: (a: NodeUse, b: NodeUse) => boolean;
  readonly #best: NodeUse[] = [];

  constructor(asking: Asking) {
    this.#wanted = asking.wanted;
    this.#isBetter = ranking(scoresOf(asking));
    for (const use of asking.ledger.nodes) if (refusal(asking, use) === undefined) this.#best.push(use);
    this.#best.sort((a, b) => (this.#isBetter(a, b) ? -1 : 1));
  }

  /** Whether these are the nodes for another task of the same version, made from the same template. */
  isFor({ serviceId, version, make, template, mode }: Wanted): boolean {
    const mine = this.#wanted;
    return (
      mine.serviceId === serviceId &&
      mine.version === version &&
      mine.make === make &&
      mine.template === template &&
      mine.mode === mode
    );
  }

  /** The best node. `touched`: those on which something was booked or given back since it was asked last. */
  first(asking: Asking, touched: Iterable<NodeUse>): NodeUse | undefined {
    for (const use of touched) {
      const at = this.#best.indexOf(use);
      if (at >= 0) this.#best.splice(at, 1);
      if (refusal(asking, use) === undefined) this.#best.splice(this.#rankOf(use), 0, use);
    }
    return this.#best[0];
  }

  /** Where a node belongs among the others. */
  #rankOf(use: NodeUse): number {
    let from = 0;
    let to = this.#best.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      const other = this.#best[middle];
      if (other !== undefined && this.#isBetter(other, use)) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

/** The best node for a task that stands alone; undefined if none takes it. */
export function bestFor(asking: Asking): NodeUse | undefined {
  const { ledger, wanted } = asking;
  if (ledger.candidates?.isFor(wanted) !== true) {
    ledger.candidates = new Candidates(asking);
    ledger.touched.clear();
  }
  const best = ledger.candidates.first(asking, ledger.touched);
  ledger.touched.clear();
  return best;
}

/**
 * Whether a booking on one node says nothing about the others, for this task: no levels to spread over, no company, no
 * data, no node of its own.
 */
export function standsAlone(asking: Asking): boolean {
  const { wanted, pins, company } = asking;
  const { spreadOver, with: partner } = wanted.template.placement;
  return (
    wanted.avoid.size === 0 &&
    wanted.onlyNode === undefined &&
    partner === undefined &&
    spreadOver.length === 0 &&
    pins.length === 0 &&
    company.near.length === 0 &&
    company.apart.length === 0 &&
    homelessOf(asking).length === 0
  );
}

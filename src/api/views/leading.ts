// Whether what a command waited for is also reached: tasks are healthy a moment before every node leads to them, and who waited for a
// deploy asks at once. Pure but for what it remembers of one waiting command.

import type { ProgressView } from "../../core/model/views.ts";
import type { World } from "../../core/model/world.ts";
import { lagging } from "../../core/reconcile/acknowledged.ts";
import { WITHDRAWAL_DEADLINE_MS } from "../../core/reconcile/planning.ts";

/** It usually takes less; a person wants no line about that. */
const SAID_AFTER_MS = 1_000;

/** What is looked at: `revision` is that of the world, `nowMs` any clock in milliseconds that goes forwards. */
type Look = { readonly world: World; readonly revision: number; readonly nowMs: number };

export class Leading {
  /** When each service was first seen to be done, and the revision that says so. */
  readonly #done = new Map<string, Pick<Look, "revision" | "nowMs">>();
  #isWaiting = false;

  /** Some service waited for nothing but routes when it was judged last. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** No service is done before all nodes in reach have applied routes as of when it was first seen to be, as long as a stop would wait for them. */
  judge(look: Look, views: readonly ProgressView[]): readonly ProgressView[] {
    this.#isWaiting = false;
    return views.map((view) => this.#judge(look, view));
  }

  #judge({ world, revision, nowMs }: Look, view: ProgressView): ProgressView {
    if (!view.done || !view.ok || view.healthy === 0) {
      this.#done.delete(view.serviceId);
      return view;
    }
    const first = this.#done.get(view.serviceId) ?? { revision, nowMs };
    this.#done.set(view.serviceId, first);
    const late = lagging(world, first.revision).map(({ name }) => name);
    if (late.length === 0) return view;
    const names = late.join(", ");
    const forMs = nowMs - first.nowMs;
    if (forMs >= WITHDRAWAL_DEADLINE_MS)
      return {
        ...view,
        message: `${view.message}; ${names} did not take over the routes to it in ${WITHDRAWAL_DEADLINE_MS / 1_000} s`,
      };
    this.#isWaiting = true;
    const waits = forMs < SAID_AFTER_MS ? "" : `; waiting for the routes of ${names}`;
    return { ...view, done: false, message: `${view.message}${waits}` };
  }
}

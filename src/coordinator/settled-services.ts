// Which services need not be planned again: an earlier plan found nothing to do, and nothing has changed since that it hung on. To forget one
// costs a plan; to keep one wrongly would leave work undone: so whatever is not known to be of one service makes all be looked at, and each
// is looked at anew from time to time, whatever was heard of it.

import type { NodeId } from "../core/model/ids.ts";
import type { Change, Task } from "../core/model/records.ts";
import type { Presence, State, World } from "../core/model/world.ts";
import type { Settled } from "../core/reconcile/plan.ts";

/** So long (boot time) a service is left alone. A change that is not followed as it must costs this, and not a service that is stuck. */
const TRUSTED_MS = 30_000;
/** So many are doubted in one look: with a hundred tasks each that takes some milliseconds. */
const DOUBTED_AT_ONCE = 20;

export class SettledServices {
  /** By the service's id; those that were planned longest ago are first. */
  readonly #settled = new Map<string, Settled & { readonly sinceMs: number }>();
  /** Those that hang on what others have: they stay only until something, of whomever, changes. */
  readonly #forNow = new Set<string>();
  /** The service of each task: a status, and a task that is gone, do not say. */
  readonly #serviceOf = new Map<string, string>();
  #presence: ReadonlyMap<NodeId, Presence> = new Map();
  #valveShut = false;

  constructor(state: State) {
    for (const task of state.task.values()) this.#serviceOf.set(task.id, task.serviceId);
  }

  /** Which services a plan of this world need not look at. */
  of(world: World, nowMs: number): (id: string) => boolean {
    if (world.valveShut !== this.#valveShut) this.forget();
    if (world.presence !== this.#presence) this.#meet(differing(this.#presence, world.presence));
    this.#presence = world.presence;
    this.#valveShut = world.valveShut;
    return (id) => {
      const settled = this.#settled.get(id);
      return settled !== undefined && !isDue(settled.wakeAtMs, nowMs);
    };
  }

  /** Some that were left alone for long are to be planned now. Gives those of which a plan can find nothing new, unless a change was overlooked. */
  doubt(nowMs: number, bootMs: number): readonly string[] {
    const doubted: Settled[] = [];
    for (const one of this.#settled.values()) {
      if (!isOld(one, bootMs) || doubted.length === DOUBTED_AT_ONCE) break;
      doubted.push(one);
    }
    for (const { id } of doubted) this.#settled.delete(id);
    const isQuiet = ({ isByItself, wakeAtMs }: Settled): boolean => isByItself && !isDue(wakeAtMs, nowMs);
    return doubted.filter(isQuiet).map(({ id }) => id);
  }

  /** There are more to be doubted than one look does. */
  hasDoubts(bootMs: number): boolean {
    const [first] = this.#settled.values();
    return first !== undefined && isOld(first, bootMs);
  }

  /** What a plan has found. Call it before any change that comes after that plan is followed. */
  add(found: readonly Settled[], bootMs: number): void {
    for (const one of found) {
      this.#settled.delete(one.id);
      this.#settled.set(one.id, { ...one, sinceMs: bootMs });
      if (one.isByItself) this.#forNow.delete(one.id);
      else this.#forNow.add(one.id);
    }
  }

  /** When the first of them must be looked at again; undefined: none by the passing of time. */
  get nextMs(): number | undefined {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { wakeAtMs } of this.#settled.values())
      if (wakeAtMs !== undefined && wakeAtMs < nextMs) nextMs = wakeAtMs;
    return Number.isFinite(nextMs) ? nextMs : undefined;
  }

  /** Everything is looked at again. */
  forget(): void {
    this.#settled.clear();
    this.#forNow.clear();
  }

  /** Something changed that is nobody's own: how far nodes are with their routes. */
  lookAround(): void {
    for (const id of this.#forNow) this.#settled.delete(id);
    this.#forNow.clear();
  }

  /** Call it with whatever changes the state that is planned on, committed or not. */
  follow(changes: readonly Change[]): void {
    if (changes.length > 0) this.lookAround();
    for (const change of changes) {
      const id = change.op === "put" ? change.record.id : change.id;
      switch (change.kind) {
        case "task":
          this.#followTask(id, change.op === "put" ? change.record : undefined);
          break;
        case "taskStatus":
          if (change.op === "put" && !this.#serviceOf.has(id)) this.forget();
          this.#settled.delete(this.#serviceOf.get(id) ?? "");
          break;
        case "service":
        case "rollout":
        case "job":
          this.#settled.delete(id);
          break;
        case "serviceVersion":
        case "run":
          // their keys begin with the service's
          this.#settled.delete(id.split("/")[0] ?? "");
          break;
        // no service asks for them without looking at what others have, or none at all
        case "volumePin":
        case "freedAddress":
        case "configFile":
        case "userToken":
        case "registryLogin":
        case "issuerKey":
        case "clusterKey":
          break;
        default:
          this.forget();
      }
    }
  }

  #followTask(id: string, task: Task | undefined): void {
    this.#settled.delete(this.#serviceOf.get(id) ?? "");
    if (task === undefined) return void this.#serviceOf.delete(id);
    this.#settled.delete(task.serviceId);
    this.#serviceOf.set(id, task.serviceId);
  }

  /** The presence of these nodes changed. */
  #meet(ids: readonly NodeId[]): void {
    this.lookAround();
    for (const { id, nodes } of this.#settled.values())
      if (ids.some((changed) => nodes.has(changed))) this.#settled.delete(id);
  }
}

function isDue(wakeAtMs: number | undefined, nowMs: number): boolean {
  return wakeAtMs !== undefined && wakeAtMs <= nowMs;
}

function isOld({ sinceMs }: { readonly sinceMs: number }, bootMs: number): boolean {
  return bootMs - sinceMs >= TRUSTED_MS;
}

function differing(one: ReadonlyMap<NodeId, Presence>, other: ReadonlyMap<NodeId, Presence>): readonly NodeId[] {
  const ids = new Set([...one.keys(), ...other.keys()]);
  return [...ids].filter((id) => one.get(id) !== other.get(id));
}

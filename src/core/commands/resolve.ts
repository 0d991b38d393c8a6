// From what a person types to a record: its name, its id, or a unique beginning of its id. Names win over ids, whole ids over beginnings.
// Beginnings of names do not count: a mistyped name must not hit a neighbour. Pure.

import { DavitError } from "../model/errors.ts";
import type { Service, Task } from "../model/records.ts";
import type { State } from "../model/world.ts";
import { taskName } from "../reconcile/step.ts";

/** Fewer characters of an id than this are taken for a mistyped name: four hit a wrong record once in 1.7 million. */
const MIN_PREFIX = 4;
/** Candidates shown for an ambiguous beginning. */
const SHOWN_CANDIDATES = 8;

type Named = { readonly id: string; readonly name: string };

/** The one record meant. Throws `not_found`, or `ambiguous` with the candidates. `noun`: "service", "node". */
export function resolveRef<Found extends Named>(noun: string, records: Iterable<Found>, ref: string): Found {
  const byPrefix: Found[] = [];
  const byName: Found[] = [];
  for (const record of records) {
    if (record.id === ref) return record;
    if (record.name === ref) byName.push(record);
    else if (ref.length >= MIN_PREFIX && record.id.startsWith(ref)) byPrefix.push(record);
  }
  const candidates = byName.length > 0 ? byName : byPrefix;
  const [first] = candidates;
  if (first === undefined) {
    throw new DavitError("not_found", `find ${noun}: there is no ${noun} '${ref}'`, {
      wayOut: `list what there is: ${listingOf(noun)}`,
    });
  }
  if (candidates.length > 1) throw ambiguous(noun, ref, candidates);
  return first;
}

/** The command that lists records of a kind; volumes are listed by the API only. */
function listingOf(noun: string): string {
  if (noun === "task") return "davit ps --all";
  return noun === "volume" ? "GET /v1/volumes" : `davit ${noun} ls`;
}

function ambiguous(noun: string, ref: string, candidates: readonly Named[]): DavitError {
  const shown = candidates.slice(0, SHOWN_CANDIDATES).map((record) => ({ where: record.id, message: record.name }));
  const rest = candidates.length - shown.length;
  return new DavitError(
    "ambiguous",
    `find ${noun}: '${ref}' can mean ${candidates.length} of them${rest > 0 ? `, ${shown.length} are shown` : ""}`,
    {
      wayOut: "write more of the id",
      details: shown,
    },
  );
}

/** A service by `<stack>_<service>`, id or beginning of the id. */
export function resolveService(state: State, ref: string): Service {
  return resolveRef("service", state.service.values(), ref);
}

/** A task by id, beginning of its id, or name (`shop_web.2`): of several with one name the newest that is to run, else the newest. */
export function resolveTask(state: State, ref: string): Task {
  const exact = state.task.get(ref);
  if (exact !== undefined) return exact;
  const named = [...state.task.values()].filter((task) => taskName(task, state) === ref);
  const [best] = named.sort(
    (a, b) =>
      Number(b.desired === "running") - Number(a.desired === "running") ||
      b.createdAtMs - a.createdAtMs ||
      (a.id < b.id ? -1 : 1),
  );
  if (best !== undefined) return best;
  const found = resolveRef(
    "task",
    [...state.task.values()]
      .filter((task) => task.id.startsWith(ref))
      .map((task) => ({ id: task.id, name: taskName(task, state), task })),
    ref,
  );
  return found.task;
}

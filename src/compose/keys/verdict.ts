// What davit does with a key of a Compose file: the words that the tables of this folder are made of. Pure data.

export type Verdict =
  /** Handed to the container engine as it is. */
  | "engine"
  /** davit does it. */
  | "davit"
  /** Known, and harmless to leave out: said as a warning. */
  | "ignored"
  /** Known; a file that uses it is refused for now. */
  | "not yet"
  /** A file that uses it is refused. */
  | "refused";

/** `note`: what to know, or to do instead. A verdict covers the keys below it that have none of their own. */
export type KeyVerdict = { readonly verdict: Verdict; readonly note: string };

/** By path: `services.*.image`; a star stands for names that the user chooses, list items have no part of their own. */
export type KeyTable = Readonly<Record<string, KeyVerdict>>;

/** A verdict with its note. */
export function v(verdict: Verdict, note = ""): KeyVerdict {
  return { verdict, note };
}

/** Keys of one parent that share a verdict: `under("services.*.healthcheck", davit, "test interval")`. */
export function under(parent: string, verdict: KeyVerdict, names: string): KeyTable {
  return Object.fromEntries(names.split(" ").map((name) => [`${parent}.${name}`, verdict]));
}

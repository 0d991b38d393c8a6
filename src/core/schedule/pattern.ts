// Whether a value is what a constraint's value says: the same text whatever its case, a pattern with * and ?, or, for addresses, a network.
// A pattern is matched in a time linear in the product of the lengths, since it comes from users. Pure.

import { nearest } from "../model/nearest.ts";
import { parseCidr } from "../model/subnets.ts";

/** What is wrong with a constraint's value; undefined if nothing is. */
export function patternProblem(attribute: string, pattern: string): string | undefined {
  if (pattern === "") return "its value is empty";
  if (/(^|[^\\])(\\\\)*\\$/.test(pattern))
    return `'${pattern}' ends in the middle of an escape: write \\\\ for a backslash`;
  if (
    attribute === "node.role" &&
    !isPattern(pattern) &&
    nearest(pattern.toLowerCase(), ["worker", "manager"]) === undefined
  )
    return `'${pattern}' is not a role: every node is a worker`;
  if (attribute !== "node.ip" || !pattern.includes("/")) return undefined;
  return networkOf(pattern) === undefined ? `'${pattern}' is not an IPv4 network: write 10.0.0.0/8` : undefined;
}

/** Whether a value is what a pattern says. `attribute` decides how values are written: addresses, architectures. */
export function matcherOf(attribute: string, pattern: string): (value: string) => boolean {
  const network = attribute === "node.ip" && pattern.includes("/") ? networkOf(pattern) : undefined;
  if (network !== undefined) {
    return (value) => networkOf(`${value}/${network.bits}`)?.base === network.base;
  }
  const normal = attribute === "node.platform.arch" ? normalArchitecture : (text: string): string => text;
  const wanted = normal(pattern.toLowerCase());
  if (!isPattern(pattern)) return (value) => normal(value.toLowerCase()) === wanted;
  const parts = partsOf(wanted);
  return (value) => matchesParts(parts, normal(value.toLowerCase()));
}

/** Architectures have two names each: the kernel's and the image format's. This is the image format's. */
export function normalArchitecture(name: string): string {
  return ARCHITECTURE_NAMES[name] ?? name;
}

const ARCHITECTURE_NAMES: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  aarch64: "arm64",
  armv7l: "arm",
  i386: "386",
  i686: "386",
};

function networkOf(text: string): { readonly base: number; readonly bits: number } | undefined {
  try {
    return parseCidr(text);
  } catch {
    return undefined;
  }
}

function isPattern(text: string): boolean {
  return /[*?\\]/.test(text);
}

const ANY = Symbol("any run of characters");
const ONE = Symbol("one character");
type Part = string | typeof ANY | typeof ONE;

/** A backslash takes what follows literally. */
function partsOf(pattern: string): readonly Part[] {
  const parts: Part[] = [];
  const characters = Array.from(pattern);
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    if (character === "\\") parts.push(characters[++at] ?? "");
    else parts.push(character === "*" ? ANY : character === "?" ? ONE : character);
  }
  return parts;
}

/** Goes back to the last star only: with what it took it may take one more, never less. */
function matchesParts(parts: readonly Part[], value: string): boolean {
  const characters = Array.from(value);
  let part = 0;
  let at = 0;
  let star: { readonly part: number; at: number } | undefined;
  while (at < characters.length) {
    const wanted = parts[part];
    if (wanted === ANY) star = { part: part++, at };
    else if (wanted === ONE || wanted === characters[at]) {
      part += 1;
      at += 1;
    } else if (star !== undefined) {
      star.at += 1;
      part = star.part + 1;
      at = star.at;
    } else return false;
  }
  return parts.slice(part).every((rest) => rest === ANY);
}

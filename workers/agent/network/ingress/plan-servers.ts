// From the servers that a running worker has to those that it must have, as commands. What takes requests comes in before anything goes out,
// and what goes out keeps its open requests. Pure.

import { HTTPS_BACKEND } from "./render-config.ts";
import type { RunningServers, Slot } from "./running.ts";
import type { WantedServer } from "./wanted.ts";

export type ServerCommands = {
  readonly backend: string;
  /** To be in force before requests are led there. */
  readonly into: readonly string[];
  /** To be in force before the node has applied what took servers away. */
  readonly out: readonly string[];
};

/** By backend. `wantedOf`: what one must have; none for one that serves no route. */
export function planServers(
  running: RunningServers,
  wantedOf: (backend: string) => readonly WantedServer[],
): readonly ServerCommands[] {
  return [...running]
    .filter(([backend]) => backend !== HTTPS_BACKEND)
    .map(([backend, slots]) => planBackend(backend, slots, wantedOf(backend)));
}

/** What takes out all servers but these, whatever backend has them. `kept`: address and port, joined by a colon. */
export function planWithdrawal(running: RunningServers, kept: ReadonlySet<string>): readonly string[] {
  return [...running]
    .filter(([backend]) => backend !== HTTPS_BACKEND)
    .flatMap(([backend, slots]) =>
      slots
        .filter(({ isOut, address, port }) => !isOut && !kept.has(`${address}:${port}`))
        .map(({ name }) => `set server ${backend}/${name} state maint`),
    );
}

function planBackend(backend: string, slots: readonly Slot[], wanted: readonly WantedServer[]): ServerCommands {
  const raised: string[] = [];
  const into: string[] = [];
  const lowered: string[] = [];
  const isWanted = (slot: Slot): boolean => wanted.some((server) => isAt(slot, server));
  const out = slots
    .filter((slot) => !slot.isOut && !isWanted(slot))
    .map((slot) => `set server ${backend}/${slot.name} state maint`);
  const free = slots.filter((slot) => slot.isOut && !isWanted(slot)).toSorted(byRest);
  for (const server of wanted) {
    const there = slots.find((slot) => isAt(slot, server));
    const slot = there ?? free.shift();
    // without room its requests go to the others; the reload that brings room is on its way
    if (slot === undefined) continue;
    const name = `${backend}/${slot.name}`;
    if (there === undefined) into.push(`set server ${name} addr ${server.address} port ${server.port}`);
    // weights say how they stand to each other: a share grows before who comes takes its own, and shrinks after who goes
    const weigh = slot.isOut ? into : slot.weight < server.weight ? raised : lowered;
    if (slot.weight !== server.weight) weigh.push(`set server ${name} weight ${server.weight}`);
    if (slot.isOut) into.push(`set server ${name} state ready`);
  }
  return { backend, into: [...raised, ...into], out: [...out, ...lowered] };
}

function isAt(slot: Slot, server: WantedServer): boolean {
  return slot.address === server.address && slot.port === server.port;
}

/** The empty ones first, then those that have been out for longest: their last requests are the likeliest to have ended. */
function byRest(a: Slot, b: Slot): number {
  const isEmpty = (slot: Slot): number => Number(slot.address === "0.0.0.0");
  return isEmpty(b) - isEmpty(a) || b.sinceS - a.sinceS || (a.name < b.name ? -1 : 1);
}

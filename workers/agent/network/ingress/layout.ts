// Which backend of the proxy serves which route. Backends cannot be made while a proxy runs, so spare ones stand ready for routes without
// options of their own; a route that finds none, or wants options or more servers, gets a new backend, which a reload brings. A name stands
// for one text for ever: a proxy that has a backend of that name has it as it must be. Pure.

import type { BackendInput } from "./render-backend.ts";

export type Backend = {
  readonly name: string;
  /** Digest of its text without its servers. */
  readonly signature: string;
  /** Servers that it has room for. */
  readonly slots: number;
  /** Key of the route that it serves; absent: spare. */
  readonly route?: string;
};

/** What is there for all routes only while one wants it, because every request pays for it. */
export type Frame = {
  /** A route is led by SNI: there is a door before the door, and with it a second way through the proxy. */
  readonly hasTcp: boolean;
  /** A route has its requests logged. */
  readonly isLogged: boolean;
};

export type Layout = {
  /** Number of the next backend. */
  readonly next: number;
  readonly backends: readonly Backend[];
  readonly frame: Frame;
};

export const EMPTY_LAYOUT: Layout = { next: 1, backends: [], frame: { hasTcp: false, isLogged: false } };
/** Hosts and paths that can come without a reload; a new reload fills them up again. */
export const SPARES = 32;
/** Servers of a backend that nobody asked for more of: a dozen tasks and as many that replace them come and go. */
export const USUAL_SLOTS = 16;

export type Demand = { readonly key: string; readonly input: BackendInput; readonly servers: number };

/** The next layout. `frame`: what the routes want of it; `signatureOf`: the digest of a backend's text; `plain`: that of a spare one. */
export function planLayout(
  before: Layout,
  demands: readonly Demand[],
  plain: string,
  signatureOf: (input: BackendInput) => string,
  frame: Frame,
): Layout {
  const isFree = ({ route }: Backend): boolean => route === undefined || !demands.some(({ key }) => key === route);
  const plainOnes = before.backends.filter(({ signature }) => signature === plain);
  // what has just been given up is used last: the running proxy may still lead its route there
  const free = [
    ...plainOnes.filter(({ route }) => route === undefined),
    ...plainOnes.filter((backend) => backend.route !== undefined && isFree(backend)),
  ];
  let { next } = before;
  let isGrown = false;
  const serving: Backend[] = [];
  for (const { key, input, servers } of demands) {
    const signature = signatureOf(input);
    const kept = before.backends.find((backend) => backend.route === key && fits(backend, signature, servers));
    if (kept !== undefined) {
      serving.push(kept);
      continue;
    }
    const at = free.findIndex((backend) => fits(backend, signature, servers));
    const [spare] = at === -1 ? [] : free.splice(at, 1);
    if (spare === undefined) isGrown = true;
    serving.push({ ...(spare ?? made(next, signature, slotsFor(servers))), route: key });
    if (spare === undefined) next += 1;
  }
  const spares = free.slice(0, SPARES).map(({ route: _route, ...backend }) => backend);
  // a reload that comes anyway, or a first start, brings new spare ones with it
  const wanted = isGrown || before.backends.length === 0 ? SPARES : 0;
  while (spares.length < wanted) {
    spares.push(made(next, plain, USUAL_SLOTS));
    next += 1;
  }
  // what no route wants any more goes with a reload that comes anyway: clients with open connections notice one
  const isFresh = isGrown || before.backends.length === 0;
  const kept = isFresh ? frame : unionOf(before.frame, frame);
  return { next, backends: [...serving, ...spares], frame: kept };
}

function unionOf(a: Frame, b: Frame): Frame {
  return { hasTcp: a.hasTcp || b.hasTcp, isLogged: a.isLogged || b.isLogged };
}

/** The name says all that a backend is but its servers. */
function made(number: number, signature: string, slots: number): Backend {
  return { name: `b${number}-${signature}-${slots}`, signature, slots };
}

function fits(backend: Backend, signature: string, servers: number): boolean {
  return backend.signature === signature && backend.slots >= servers;
}

/** Room for half as many again: updates that start before they stop need it. */
function slotsFor(servers: number): number {
  const wanted = Math.ceil(servers * 1.5);
  let slots = USUAL_SLOTS;
  while (slots < wanted) slots *= 2;
  return slots;
}

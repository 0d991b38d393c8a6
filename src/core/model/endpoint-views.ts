// What nodes route to, as the API shows it: plain JSON. Pure.

import type { PublishedPort } from "./published-port.ts";
import type { Standing } from "./routes.ts";

/** What nodes route to for a service, by what is committed. */
export type EndpointsView = {
  readonly service: string;
  /** Its virtual address; absent when its names lead to its tasks. */
  readonly address?: string;
  /** What it is published on, once nodes answer for it. */
  readonly ports: readonly PublishedPort[];
  readonly endpoints: readonly EndpointView[];
};
export type EndpointView = {
  readonly task: string;
  readonly taskId: string;
  readonly node: string;
  readonly address: string;
  readonly weight: number;
  /** Whether it gets new connections: `in`; not yet, or not now: `waiting`; no more: `out`. */
  readonly standing: Standing;
};

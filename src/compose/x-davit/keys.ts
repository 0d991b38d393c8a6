// The keys of x-davit at a service and at the top of the file: those that work, and those that are known to come. Pure data.

import { type KeyTable, under, v } from "../keys/verdict.ts";

const X = "services.*.x-davit";

export const X_DAVIT_KEYS: KeyTable = {
  [`${X}.health`]: v("davit", "a check by HTTP or TCP from the node's agent"),
  ...under(`${X}.health`, v("davit"), "http tcp interval timeout retries start_period start_interval"),
  ...under(`${X}.health.http`, v("davit"), "port path"),
  [`${X}.health.tcp.port`]: v("davit"),
  [`${X}.settle`]: v("davit", "how long a task without a check must run to count as healthy; 1s"),
  [`${X}.on_lease_lost`]: v("davit", "keep; stop comes with a fence on the node"),
  ...under(X, v("not yet"), "balance ingress lease policy replace_after scale schedule with"),
  "x-davit.ingress": v("not yet"),
};

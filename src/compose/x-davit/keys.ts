// The keys of x-davit at a service, those that work and those that are known to come.

import type { KeyVerdict } from "../verdicts.ts";

export const X_DAVIT_KEYS: Readonly<Record<string, KeyVerdict>> = {
  health: { verdict: "davit", note: "a check by HTTP or TCP from the node's agent" },
  settle: { verdict: "davit", note: "how long a task without a check must run to count as healthy; 1s" },
  on_lease_lost: { verdict: "davit", note: "keep" },
  balance: { verdict: "not yet", note: "" },
  ingress: { verdict: "not yet", note: "" },
  lease: { verdict: "not yet", note: "" },
  policy: { verdict: "not yet", note: "" },
  replace_after: { verdict: "not yet", note: "" },
  scale: { verdict: "not yet", note: "" },
  schedule: { verdict: "not yet", note: "" },
  with: { verdict: "not yet", note: "" },
};

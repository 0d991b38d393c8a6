// Which of davit's binaries a host runs. Pure.

import type { HostFacts } from "./facts.ts";

/** The preflight has refused all others. */
export function architectureOf(facts: HostFacts): "x64" | "arm64" {
  return facts.machine === "aarch64" ? "arm64" : "x64";
}

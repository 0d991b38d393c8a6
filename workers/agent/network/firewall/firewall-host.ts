// What the firewall part does to its host, as a port: each is one thing done or asked. linux-host.ts is the real one; a test stands in for it.

import type { EngineFirewall } from "./engine-accept.ts";
import type { Places } from "./facts.ts";

export interface FirewallHost {
  /** Hands a text to the kernel as one transaction. Undefined when it is in force, else what was said. */
  load(rules: string): Promise<string | undefined>;
  /** Tables that are there, `ip davit`. Rejects when the kernel cannot be asked. */
  tables(): Promise<ReadonlySet<string>>;
  /** Rejects in words when bridged packets cannot be judged: containers of one host would reach each other whatever their networks. */
  requireBridgedPackets(): Promise<void>;
  /** Number of the containers' bridge, another one each time that it is made; undefined while there is none. */
  bridge(): Promise<string | undefined>;
  /** What the rules need of the links, the bridge among them if it is there; gone with it. */
  prepareLinks(places: Places, hasBridge: boolean): Promise<void>;
  forgetBridge(): Promise<void>;
  /** Gives every port of the bridge hairpin mode. */
  setHairpin(): Promise<void>;
  /** Lets the kernel forget what has ended soon, or says why it does not. */
  shortenTimeWait(): Promise<string | undefined>;
  engineFirewall(): Promise<EngineFirewall>;
  /** Rejects with what the program said unless it ended with 0. */
  must(doing: string, argv: readonly string[]): Promise<void>;
  /** Calls back when somebody may have taken rules away, until it is closed. */
  watch(onChange: () => void): { close(): void };
}

// How the engine's own firewall is told to let through what davit's guards have let through: an accept in one base chain is not the end of a
// packet, and Docker drops what it does not know. Packets that passed carry a mark; which of three ways makes Docker accept it depends on
// where Docker keeps its rules. Planning is pure: the host is asked in ask-engine-firewall.ts.

import { PASSED_MARK } from "./names.ts";

/** What is found on a host. `-S DOCKER-USER` of each iptables that is in use; absent where the chain is not there. */
export type EngineFirewall = {
  readonly dockerUser: Readonly<Partial<Record<IptablesProgram, string>>>;
  /** Docker's forward chain where it keeps its rules in nftables by itself (29 and later, by choice). */
  readonly bridgesTable?: string;
};

/** Debian calls the two backends by these names beside `iptables`, which is one of them; elsewhere there may be `iptables` alone. */
export const IPTABLES_PROGRAMS = ["iptables-nft", "iptables-legacy", "iptables"] as const;
export type IptablesProgram = (typeof IPTABLES_PROGRAMS)[number];

export type EngineAccept =
  /** Commands that put the rule into every DOCKER-USER chain that lacks it. */
  | { readonly kind: "rules"; readonly commands: readonly (readonly string[])[] }
  /** Docker must be started with an option, which only whoever runs the host may do. */
  | { readonly kind: "option"; readonly name: string; readonly value: string };

const MARK = `0x${PASSED_MARK.toString(16)}/0x${PASSED_MARK.toString(16)}`;
const RULE = ["-m", "mark", "--mark", MARK, "-m", "comment", "--comment", "davit", "-j", "ACCEPT"] as const;
/** Another program may hold the lock of the tables for a while. */
const WAIT = ["-w", "5"] as const;

/** Nothing to do is an empty list: also where no chain of Docker's is there, which then drops nothing. */
export function planEngineAccept(found: EngineFirewall): EngineAccept {
  if (found.bridgesTable !== undefined && !acceptsMark(found.bridgesTable)) {
    return { kind: "option", name: "bridge-accept-fwmark", value: MARK };
  }
  const commands = programsOf(found)
    .filter((program) => !isFirst(found.dockerUser[program] ?? ""))
    .flatMap((program) => [
      ...(found.dockerUser[program]?.includes(MARK) === true ? [[program, ...WAIT, "-D", "DOCKER-USER", ...RULE]] : []),
      [program, ...WAIT, "-I", "DOCKER-USER", ...RULE],
    ]);
  return { kind: "rules", commands };
}

/** Commands that take the rule away again. */
export function planEngineForget(found: EngineFirewall): readonly (readonly string[])[] {
  return programsOf(found)
    .filter((program) => found.dockerUser[program]?.includes(MARK) === true)
    .map((program) => [program, ...WAIT, "-D", "DOCKER-USER", ...RULE]);
}

/** `iptables` is one of the other two where they exist. */
function programsOf(found: EngineFirewall): readonly IptablesProgram[] {
  const there = IPTABLES_PROGRAMS.filter((program) => found.dockerUser[program] !== undefined);
  return there.length > 1 ? there.filter((program) => program !== "iptables") : there;
}

/** A rule of the user's that drops, and stands before ours, is meant: only ours that fell behind Docker's RETURN is moved. */
function isFirst(chain: string): boolean {
  const rules = chain.split("\n").filter((line) => line.startsWith("-A "));
  const ours = rules.findIndex((line) => line.includes(MARK));
  const end = rules.findIndex((line) => line.trim() === "-A DOCKER-USER -j RETURN");
  return ours >= 0 && (end < 0 || ours < end);
}

/** nft prints marks as "0x00020000". */
function acceptsMark(chain: string): boolean {
  return chain.includes(`0x${PASSED_MARK.toString(16).padStart(8, "0")}`);
}

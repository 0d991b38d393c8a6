// Whoever connects to an agent and is not its coordinator: it plays back openings that it recorded, hands on those of other nodes, or signs
// with a key of its own. S18: no agent ever welcomes it. And an old copy of the coordinator's data that is started again. S2: it is refused.

import type { AgentFrame, CoordinatorFrame, Open } from "../../../src/core/protocol/frames.ts";
import type { Epoch } from "../../../src/core/model/lease.ts";
import type { AgentStream } from "../../../workers/agent/session/agent-stream.ts";
import type { Findings } from "../checks/violation.ts";
import type { Chance } from "../kernel/chance.ts";
import type { Cluster } from "../world/cluster.ts";
import type { CoordinatorMachine } from "../world/coordinator-machine.ts";
import type { Host } from "../world/host.ts";
import { Bystander } from "../world/universe.ts";

const KEPT_OPENINGS = 20;
const ANSWER_MS = 5;
/** An old copy is started once every node obeys a newer start; it is looked for so often. */
const LOOK_MS = 2_000;
const MAX_LOOKS = 60;

export class Strangers extends Bystander {
  readonly #findings: Findings;
  readonly #cluster: Cluster;
  readonly #recorded: { readonly host: Host; readonly open: Open }[] = [];

  constructor(findings: Findings, cluster: Cluster) {
    super();
    this.#findings = findings;
    this.#cluster = cluster;
  }

  override told(host: Host, _epoch: Epoch | undefined, frame: CoordinatorFrame): void {
    if (frame.type !== "open") return;
    this.#recorded.push({ host, open: frame });
    if (this.#recorded.length > KEPT_OPENINGS) this.#recorded.shift();
  }

  /** Connects to the agent of a host with somebody else's words. */
  visit(host: Host, chance: Chance): void {
    const found = chance.pick(this.#recorded);
    if (found === undefined) return;
    const isForged = chance.happens(0.3);
    host.accept(this.#stream(host, found.open, isForged));
  }

  #stream(host: Host, open: Open, isForged: boolean): AgentStream {
    const { scheduler } = this.#cluster.universe;
    let receive: (frame: CoordinatorFrame) => void = () => {};
    let isOpen = true;
    const answer = (frame: AgentFrame): void => {
      if (frame.type === "challenge")
        scheduler.after(ANSWER_MS, host.agentLife, () => {
          if (isOpen) receive(isForged ? forged(open, frame.nonce) : open);
        });
      this.#findings.check(
        "S18",
        frame.type !== "welcome",
        () => `${host.name} welcomes a stranger with ${isForged ? "a key of its own" : "an opening that was recorded"}`,
      );
    };
    return {
      send: (frame) => {
        if (isOpen) answer(frame);
      },
      onFrame: (given) => {
        receive = given;
      },
      onClose: () => {},
      close: () => {
        isOpen = false;
      },
    };
  }

  /** A copy of the coordinator's data as they are now will be started, once every node that can obeys a newer start. */
  copyForLater(): void {
    const { machine, universe } = this.#cluster;
    const copy = machine.file.copy();
    const last = copy.chain.at(-1);
    machine.kill();
    const look = (left: number): void => {
      if (left === 0) return;
      if (this.#areAllNewerThan(last)) return this.#startOld(copy);
      universe.scheduler.after(LOOK_MS, undefined, () => look(left - 1));
    };
    universe.scheduler.after(LOOK_MS, undefined, () => look(MAX_LOOKS));
  }

  #areAllNewerThan(last: Epoch | undefined): boolean {
    const { machine, nodes } = this.#cluster;
    const head = machine.running;
    if (head === undefined || head.nonce === last?.nonce) return false;
    return nodes.every((host) => {
      const obeyed = host.files.text("epoch.json");
      return obeyed !== undefined && (JSON.parse(obeyed) as Epoch).epoch > (last?.epoch ?? 0);
    });
  }

  #startOld(copy: CoordinatorMachine["file"]): void {
    const { universe } = this.#cluster;
    const old = this.#cluster.oldMachine(copy);
    universe.journal.write("fault", `an old copy of the coordinator's data is started as ${old.address}`);
    old.start();
  }

  /** After the faults: whoever came back with old data has ended, and for the right reason. */
  checkOldOnes(): void {
    for (const old of this.#cluster.oldMachines) {
      this.#findings.check(
        "S2",
        // who lost its files knows of nobody that is newer
        old.refused !== undefined || this.#cluster.nodes.every((host) => host.hasLostFiles),
        () => `${old.address}, with old data, was not refused by any node`,
      );
    }
  }
}

/** The same words, for this challenge, signed by somebody whom no agent knows. */
function forged(open: Open, challenge: string): Open {
  const [, ...claims] = open.token.split("|");
  const told = { ...(JSON.parse(claims.join("|")) as object), challenge };
  return { ...open, token: `stranger|${JSON.stringify(told)}` };
}

// Whoever uses the cluster: deploys, updates, scales, rolls back, drains, labels and removes at any moment, through the real commands. What is
// refused is refused; what is acknowledged is told to the checkers.

import type { Command } from "../../../src/core/commands/command.ts";
import { deployStack, removeStack } from "../../../src/core/commands/deploy-stack.ts";
import { runJob, suspendJob } from "../../../src/core/commands/jobs.ts";
import { confirmDead, removeNode, updateNode } from "../../../src/core/commands/nodes.ts";
import { rollbackService, scaleService, updateService } from "../../../src/core/commands/services.ts";
import { DavitError } from "../../../src/core/model/errors.ts";
import type { Change, Service } from "../../../src/core/model/records.ts";
import { isJobMode, type ServiceSpec, type StackSpec } from "../../../src/core/model/service-spec.ts";
import { isOver } from "../../../src/core/schedule/ledger.ts";
import { versionKey } from "../../../src/core/model/world.ts";
import type { EngineChecks } from "../checks/engine-checks.ts";
import type { HistoryChecks } from "../checks/history-checks.ts";
import type { Chance } from "../kernel/chance.ts";
import type { Cluster } from "../world/cluster.ts";
import type { Host } from "../world/host.ts";
import { equipping, placementAct, resized } from "./placement-acts.ts";
import { drawWish } from "./rollouts.ts";
import { isGood, type ServiceMaker } from "./services.ts";

const MAX_STACKS = 3;
/** A node that drains is looked at again after so long: if it is empty then, it goes. */
const EMPTY_MS = 30_000;

export class Operator {
  readonly #cluster: Cluster;
  readonly #chance: Chance;
  readonly #maker: ServiceMaker;
  readonly #history: HistoryChecks;
  readonly #engines: EngineChecks;
  readonly #stacks = new Map<string, StackSpec>();
  #named = 0;

  constructor(cluster: Cluster, maker: ServiceMaker, history: HistoryChecks, engines: EngineChecks) {
    this.#cluster = cluster;
    this.#chance = cluster.universe.chance.fork("operator");
    this.#maker = maker;
    this.#history = history;
    this.#engines = engines;
  }

  /** One thing, at random. */
  act(): void {
    const chance = this.#chance;
    if (this.#stacks.size > 0 && chance.happens(0.15)) return this.#place();
    const dice = chance.below(100);
    if (this.#stacks.size === 0 || (dice < 12 && this.#stacks.size < MAX_STACKS)) this.deployNew();
    else if (dice < 30) this.#changeImage();
    else if (dice < 38) this.#onJob();
    else if (dice < 48) this.#onService((service) => scaleService({ ref: service.id, replicas: chance.below(6) }));
    else if (dice < 54) this.#onService((service) => updateService({ ref: service.id, patch: { force: true } }));
    else if (dice < 58) this.#onService((service) => rollbackService({ ref: service.id }));
    else if (dice < 66) this.#onRollout();
    else if (dice < 70) this.#changePolicy();
    else if (dice < 74) this.#dropService();
    else if (dice < 76) this.#dropStack();
    else if (dice < 93) this.#onNode();
    else if (dice < 95) this.#confirmDead();
    else if (dice < 97) this.#removeNode();
    else this.#twoAtOnce();
  }

  #place(): void {
    if (this.#chance.happens(0.3)) return this.#changed((stack) => resized(stack, this.#chance));
    const act = placementAct(this.#cluster, this.#chance);
    if (act !== undefined) void this.run(act.what, act.command);
  }

  /** Some nodes have devices from the start. */
  equip(): void {
    for (const host of this.#cluster.nodes) {
      if (!this.#chance.happens(0.4)) continue;
      const act = equipping(host, this.#chance.one<number | readonly string[]>(2, ["a", "b"], ["a", "b", "c"]));
      void this.run(act.what, act.command);
    }
  }

  deployNew(): void {
    const name = `st${++this.#named}`;
    const stack = this.#maker.stack(name);
    this.#stacks.set(name, stack);
    this.#deploy(stack);
  }

  /** From now on every service runs something that works. */
  mendImages(): void {
    for (const service of this.#cluster.state.service.values()) {
      const { image = "" } =
        this.#cluster.state.serviceVersion.get(versionKey(service.id, service.version))?.spec.template.container ?? {};
      if (isGood(image) || isJobMode(service.mode)) continue;
      const patch = { image: this.#maker.image("good"), command: ["run"] };
      void this.run(`mend ${service.name}`, updateService({ ref: service.id, patch }));
    }
  }

  #deploy(stack: StackSpec): void {
    const what = stack.services.map(({ name, template }) => `${name} ${template.container.image}`).join(", ");
    void this.run(`deploy ${what}`, deployStack(stack));
  }

  #changed(change: (stack: StackSpec) => StackSpec): void {
    const stack = this.#chance.pick([...this.#stacks.values()]);
    if (stack === undefined) return;
    const next = change(stack);
    this.#stacks.set(stack.name, next);
    this.#deploy(next);
  }

  #changeImage(): void {
    this.#changed((stack) => {
      const at = this.#chance.below(stack.services.length);
      const services = stack.services.map((service, index) => {
        if (index !== at) return service;
        const { template } = service;
        const { job } = service;
        const image = job === undefined ? this.#maker.image() : this.#maker.errand();
        return {
          ...service,
          template: { ...template, container: { ...template.container, image } },
          // what hangs would fill every node where runs may overlap
          ...(job === undefined || !image.startsWith("hangs") ? {} : { job: { ...job, timeoutMs: 20_000 } }),
        };
      });
      return { ...stack, services };
    });
  }

  #changePolicy(): void {
    const chance = this.#chance;
    this.#onService((service) =>
      updateService({
        ref: service.id,
        patch: { update: { parallelism: chance.below(3), order: chance.one("start-first", "stop-first") } },
      }),
    );
  }

  #dropService(): void {
    this.#changed((stack) => {
      const dropped = this.#chance.pick(stack.services);
      if (stack.services.length < 2 || dropped === undefined) return stack;
      const services = stack.services.filter((service) => service !== dropped);
      return { ...stack, services: services.map((service) => withoutBefore(service, dropped.name)) };
    });
  }

  /** Asks for a run of a job, suspends it, or lets it go on. */
  #onJob(): void {
    const job = this.#chance.pick(this.#jobs);
    if (job === undefined) return this.#changeImage();
    const ref = { ref: job.id };
    const dice = this.#chance.below(10);
    if (dice < 4) void this.run(`run ${job.name}`, runJob(ref));
    else this.suspend(job, dice < 7);
  }

  get #jobs(): readonly Service[] {
    return [...this.#cluster.state.service.values()].filter(({ mode }) => isJobMode(mode));
  }

  suspend(job: Service, suspended: boolean): void {
    void this.run(`${suspended ? "suspend" : "resume"} ${job.name}`, suspendJob({ ref: job.id, suspended }));
  }

  /** No job begins by itself any more. */
  suspendAll(): void {
    for (const job of this.#jobs) this.suspend(job, true);
  }

  #dropStack(): void {
    const name = this.#chance.pick([...this.#stacks.keys()]);
    if (name === undefined) return;
    this.#stacks.delete(name);
    void this.run(`remove stack ${name}`, removeStack({ name, volumes: false }));
  }

  #twoAtOnce(): void {
    this.#changeImage();
    this.#changeImage();
  }

  #onService(make: (service: Service) => Command<unknown>): void {
    const service = this.#chance.pick([...this.#cluster.state.service.values()]);
    if (service !== undefined) void this.run(`change ${service.name}`, make(service));
  }

  #onRollout(): void {
    const wish = drawWish(this.#chance, this.#cluster.state);
    if (wish !== undefined) void this.run(wish.what, wish.command);
  }

  #onNode(): void {
    const chance = this.#chance;
    const host = chance.pick(this.#cluster.nodes);
    if (host === undefined) return;
    const dice = chance.below(10);
    if (dice < 4) this.availability(host, "drain");
    else if (dice < 5) this.availability(host, "pause");
    else if (dice < 9) this.availability(host, "active");
    else this.#update(host, `label ${host.name}`, { labels: { disk: chance.one("ssd", "hdd", null) } });
  }

  availability(host: Host, availability: "active" | "pause" | "drain"): void {
    this.#update(host, `${availability} ${host.name}`, { availability });
  }

  #update(host: Host, what: string, patch: Parameters<typeof updateNode>[0]["patch"]): void {
    void this.run(what, updateNode({ ref: host.id, patch }));
  }

  #confirmDead(): void {
    const { state, machine } = this.#cluster;
    const lost = this.#cluster.nodes.filter((host) => state.nodeStatus.get(host.id)?.unseenSinceMs !== undefined);
    const host = this.#chance.pick(lost);
    if (host === undefined) return;
    const isInContact = machine.running?.coordinator.isReady(host.id) === true;
    void this.run(`confirm ${host.name} dead`, confirmDead({ ref: host.id, isInContact }), () =>
      this.#engines.giveUp(host),
    );
  }

  /** Takes a node out of the cluster: at once and whatever it says, or once it is empty. */
  #removeNode(): void {
    const { nodes, state, universe } = this.#cluster;
    const members = nodes.filter((host) => state.node.has(host.id));
    const host = this.#chance.pick(members);
    if (host === undefined || members.length <= nodes.length / 2 || members.length < 2) return;
    if (this.#chance.happens(0.5)) return this.#remove(host);
    this.availability(host, "drain");
    universe.scheduler.after(EMPTY_MS, undefined, () => {
      const holds = [...state.task.values()].some((task) => task.nodeId === host.id && !isOver(state, task));
      if (!holds) this.#remove(host);
    });
  }

  #remove(host: Host): void {
    void this.run(`remove ${host.name}`, removeNode(host.id), () => this.#engines.giveUp(host)).then(() => {
      if (!this.#cluster.state.node.has(host.id)) host.leave();
    });
  }

  /** Asks the coordinator. Resolves whatever comes of it; never when the coordinator ends in the middle. */
  async run(what: string, command: Command<unknown>, onDone: () => void = () => {}): Promise<void> {
    const { machine, universe } = this.#cluster;
    let changes: readonly Change[] = [];
    const watched: Command<unknown> = (state, context) => {
      const outcome = command(state, context);
      changes = outcome.changes;
      // from here on it may take effect, whether or not anybody is told
      if (changes.length > 0) onDone();
      return outcome;
    };
    try {
      const { revision } = await machine.command(watched);
      universe.journal.write("operator", `${what}: done in revision ${revision}`);
      this.#history.acknowledged(machine, revision, changes);
    } catch (error) {
      if (!(error instanceof DavitError)) throw error;
      universe.journal.write("operator", `${what}: ${error.message}`);
    }
  }
}

/** A service that does not follow a certain job any more. */
function withoutBefore(service: ServiceSpec, name: string): ServiceSpec {
  const { job } = service;
  return job === undefined ? service : { ...service, job: { ...job, after: job.after.filter((one) => one !== name) } };
}

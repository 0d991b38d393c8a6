// Whoever uses the cluster: deploys, updates, scales, rolls back, drains, labels and removes at any moment, through the real commands. What is
// refused is refused; what is acknowledged is told to the checkers.

import type { Command } from "../../../src/core/commands/command.ts";
import { deployStack, removeStack } from "../../../src/core/commands/deploy-stack.ts";
import { confirmDead, removeNode, updateNode } from "../../../src/core/commands/nodes.ts";
import { rollbackService, scaleService, updateService } from "../../../src/core/commands/services.ts";
import { DavitError } from "../../../src/core/model/errors.ts";
import type { Change, Service } from "../../../src/core/model/records.ts";
import type { StackSpec } from "../../../src/core/model/service-spec.ts";
import { versionKey } from "../../../src/core/model/world.ts";
import type { EngineChecks } from "../checks/engine-checks.ts";
import type { HistoryChecks } from "../checks/history-checks.ts";
import type { Chance } from "../kernel/chance.ts";
import type { Cluster } from "../world/cluster.ts";
import type { Host } from "../world/host.ts";
import { isGood, type ServiceMaker } from "./services.ts";

const MAX_STACKS = 3;

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
    const dice = chance.below(100);
    if (this.#stacks.size === 0 || (dice < 12 && this.#stacks.size < MAX_STACKS)) this.deployNew();
    else if (dice < 34) this.#changeImage();
    else if (dice < 48) this.#onService((service) => scaleService({ ref: service.id, replicas: chance.below(6) }));
    else if (dice < 54) this.#onService((service) => updateService({ ref: service.id, patch: { force: true } }));
    else if (dice < 64) this.#onService((service) => rollbackService({ ref: service.id }));
    else if (dice < 70) this.#changePolicy();
    else if (dice < 74) this.#dropService();
    else if (dice < 76) this.#dropStack();
    else if (dice < 93) this.#onNode();
    else if (dice < 96) this.#confirmDead();
    else this.#twoAtOnce();
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
      if (isGood(image)) continue;
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
        return {
          ...service,
          template: { ...template, container: { ...template.container, image: this.#maker.image() } },
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
    this.#changed((stack) => (stack.services.length < 2 ? stack : { ...stack, services: stack.services.slice(1) }));
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

  /** Takes a node out of the cluster whatever it says, as `node rm --force` does. */
  removeNode(host: Host): void {
    void this.run(`remove ${host.name}`, removeNode(host.id), () => this.#engines.giveUp(host));
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

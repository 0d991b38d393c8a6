// From what a stack should be to what changes: networks and volumes first, then services in the order of the file, then what is no longer
// in it. What means the same as before is not touched. Each step is described in words; a dry run gives the same steps, and each step
// but `unchanged` is one event. Pure.

import { DavitError } from "../model/errors.ts";
import { isPublishedBy, type PublishedPort } from "../model/published-port.ts";
import type { Network, Service, Volume } from "../model/records.ts";
import {
  isJobMode,
  type NetworkSpec,
  type ServiceSpec,
  type StackSpec,
  type VolumeSpec,
} from "../model/service-spec.ts";
import { specHashes } from "../model/spec-hash.ts";
import type { DeployStepView } from "../model/views.ts";
import type { State } from "../model/world.ts";
import { restartedWith } from "./check-dependencies.ts";
import { certificateFaults } from "./certificates.ts";
import { checkStack } from "./check-spec.ts";
import { canResize } from "../rollout/resize.ts";
import type { Command, CommandContext } from "./command.ts";
import { describeMode, describeSpecChange, joinDifferences, renderMode, renderRoutes } from "./describe-change.ts";
import { Draft } from "./draft.ts";
import { placementWarnings } from "./placement-warnings.ts";
import { refuse } from "./fault.ts";
import { isSame } from "./same.ts";
import { giveBack, hasAddress, serviceAddresses } from "./service-address.ts";
import { publishedPorts } from "./published-ports.ts";
import { applySpec, checkPorts, serviceEvent } from "./services.ts";
import { currentVersion, specOf, versionRecord } from "./versions.ts";

export type DeployResult = {
  readonly stack: string;
  readonly steps: readonly DeployStepView[];
  readonly warnings: readonly string[];
};

type Deploy = {
  readonly state: State;
  readonly context: CommandContext;
  readonly draft: Draft;
  readonly steps: DeployStepView[];
  readonly stack: string;
  /** Services that are made anew because what they depend on is. */
  readonly restarted: ReadonlySet<string>;
  readonly nextAddress: () => string;
  readonly ports: ReadonlyMap<string, readonly PublishedPort[]>;
};

/** Makes the stack what `spec` says. Throws `invalid_input` with every fault, `conflict`, `already_exists`, `not_yet`, `not_supported`. */
export function deployStack(spec: StackSpec): Command<DeployResult> {
  return (state, context) => {
    checkStack(spec, specsOutside(state, spec.name), context);
    const restarted = restartedWith(spec.services, changedTemplates(state, spec, context));
    refuse(`deploy ${spec.name}`, certificateFaults(spec.services, state));
    const deploy: Deploy = {
      state,
      context,
      draft: new Draft(),
      steps: [],
      stack: spec.name,
      restarted,
      nextAddress: serviceAddresses(state),
      ports: publishedPorts(state, spec.name, spec.services),
    };
    for (const config of spec.configs ?? [])
      if (!state.configFile.has(config.id)) deploy.draft.change({ op: "put", kind: "configFile", record: config });
    for (const network of spec.networks) deployNetwork(deploy, network);
    for (const volume of spec.volumes) deployVolume(deploy, volume);
    for (const service of spec.services) deployService(deploy, service, spec.services);
    removeServices(deploy, new Set(spec.services.map((service) => service.name)));
    removeNetworks(deploy, new Set(spec.networks.map((network) => network.name)));
    return deploy.draft.finish({ stack: spec.name, steps: deploy.steps, warnings: warningsOf(state, spec) });
  };
}

/** Removes a stack's services and networks, and with `volumes` what davit knows of its volumes. */
export function removeStack(input: { readonly name: string; readonly volumes: boolean }): Command<DeployResult> {
  return (state, context) => {
    const deploy: Deploy = {
      state,
      context,
      draft: new Draft(),
      steps: [],
      stack: input.name,
      restarted: new Set(),
      nextAddress: serviceAddresses(state),
      ports: new Map(),
    };
    removeServices(deploy, new Set());
    removeNetworks(deploy, new Set());
    const volumes = [...state.volume.values()].filter((volume) => volume.stack === input.name);
    const hasTraces = deploy.steps.length > 0 || (input.volumes && volumes.length > 0);
    if (!hasTraces) {
      const kept = volumes.length > 0 ? ` (only its volumes are left)` : "";
      throw new DavitError("not_found", `remove stack: there is no stack '${input.name}'${kept}`, {
        wayOut: "list what there is: davit stack ls",
      });
    }
    if (input.volumes) for (const volume of volumes) removeStackVolume(deploy, volume);
    const warnings =
      volumes.length > 0 && !input.volumes
        ? [`volumes are kept: ${volumes.map((volume) => volume.name).join(", ")}`]
        : [];
    return deploy.draft.finish({ stack: input.name, steps: deploy.steps, warnings });
  };
}

function deployService(deploy: Deploy, spec: ServiceSpec, all: readonly ServiceSpec[]): void {
  const { state } = deploy;
  const existing = [...state.service.values()].find((service) => service.name === spec.name);
  if (existing !== undefined && existing.stack !== spec.stack) {
    throw taken("service", spec.name, existing.stack);
  }
  checkPorts(spec, [...specsOutside(state, deploy.stack), ...all.slice(0, all.indexOf(spec))]);
  if (existing === undefined) createService(deploy, spec);
  else if (!updateExisting(deploy, existing, spec)) step(deploy, "unchanged", "service", spec.name, "");
}

function createService(deploy: Deploy, spec: ServiceSpec): void {
  const { context, draft } = deploy;
  const id = context.newId<"service">();
  const { nowMs } = context;
  const record = {
    id,
    name: spec.name,
    ...(spec.stack === undefined ? {} : { stack: spec.stack }),
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    mode: spec.mode,
    version: 1,
    force: 0,
    isRollback: false,
    changeReason: "created",
    ...(hasAddress(spec) ? { address: deploy.nextAddress() } : {}),
    ...portsOf(deploy, spec),
    ...(isJobMode(spec.mode) ? { job: { suspended: false, requested: 0 } } : {}),
  };
  draft.create("service", record);
  draft.change({ op: "put", kind: "serviceVersion", record: versionRecord(id, 1, spec, "created", context) });
  const chosen = chosenPorts(spec, deploy.ports.get(spec.name) ?? []);
  const description = [
    spec.template.container.image,
    renderMode(spec.mode),
    ...chosen,
    ...renderRoutes(spec.ingress ?? []),
  ].join(", ");
  draft.event(serviceEvent("service.created", record, description));
  step(deploy, "create", "service", spec.name, description, "service.created");
}

/** Names of the services that are there already and get other tasks. */
function changedTemplates(state: State, spec: StackSpec, context: CommandContext): ReadonlySet<string> {
  const changed = new Set<string>();
  for (const service of state.service.values()) {
    const next = spec.services.find(({ name }) => name === service.name && service.stack === spec.name);
    if (next === undefined || isJobMode(next.mode)) continue;
    const { templateHash } = specHashes(next, context.hash);
    const before = currentVersion(state, service);
    if (templateHash !== before.templateHash && !canResize(before.spec.template, next.template))
      changed.add(service.name);
  }
  return changed;
}

/** False when nothing differs. */
function updateExisting(deploy: Deploy, service: Service, spec: ServiceSpec): boolean {
  const { state, context, draft } = deploy;
  const before = currentVersion(state, service);
  if (service.mode.kind !== spec.mode.kind) {
    throw new DavitError(
      "not_supported",
      `deploy ${spec.name}: its mode cannot change from ${service.mode.kind} to ${spec.mode.kind}`,
      {
        wayOut: `remove the service first (davit service rm ${spec.name}), or give it another name`,
      },
    );
  }
  const hashes = specHashes(spec, context.hash);
  const isNew = hashes.hash !== before.hash;
  const mode = describeMode(service.mode, spec.mode);
  const force = deploy.restarted.has(spec.name) && !isJobMode(spec.mode);
  if (!isNew && mode === undefined && !force) return false;
  const description = joinDifferences([
    ...(isNew ? describeSpecChange(before.spec, spec) : []),
    ...(mode === undefined ? [] : [mode]),
    ...(force ? ["made anew with what it depends on"] : []),
  ]);
  const change = { isNew, force, reason: description };
  const next = applySpec(state, draft, addressed(deploy, service, spec), spec, change, context);
  draft.event(serviceEvent("service.updated", next, description));
  const isInPlace = canResize(before.spec.template, spec.template);
  const replaces = force || (hashes.templateHash !== before.templateHash && !isInPlace);
  step(deploy, "update", "service", spec.name, description, "service.updated", replaces);
  return true;
}

/** Of ranges, the port that the service got. */
function chosenPorts({ template }: ServiceSpec, given: readonly PublishedPort[]): readonly string[] {
  const ranges = template.ports.filter(({ published }) => published.from !== published.to);
  return given
    .filter((port) => ranges.some((range) => isPublishedBy(port, range)))
    .map(({ published, target, protocol }) => `port ${published} for ${target}/${protocol}`);
}

/** One that had no use for an address of its own may have it now, or the other way round. */
function addressed(deploy: Deploy, service: Service, spec: ServiceSpec): Service {
  const { address, ports: _ports, ...rest } = service;
  const ported = { ...rest, ...portsOf(deploy, spec) };
  if (hasAddress(spec)) return { ...ported, address: address ?? deploy.nextAddress() };
  giveBack(deploy.draft, service);
  return ported;
}

function portsOf({ ports }: Deploy, { name }: ServiceSpec): Pick<Service, "ports"> {
  const given = ports.get(name);
  return given === undefined ? {} : { ports: given };
}

function removeServices(deploy: Deploy, wanted: ReadonlySet<string>): void {
  const gone = [...deploy.state.service.values()].filter(
    (service) => service.stack === deploy.stack && !wanted.has(service.name),
  );
  for (const service of gone.sort(byName)) {
    deploy.draft.remove("service", service);
    giveBack(deploy.draft, service);
    deploy.draft.event(serviceEvent("service.removed", service, "its tasks stop"));
    step(deploy, "remove", "service", service.name, "its tasks stop", "service.removed", true);
  }
}

function deployNetwork(deploy: Deploy, spec: NetworkSpec): void {
  const existing = [...deploy.state.network.values()].find((network) => network.name === spec.name);
  if (existing === undefined) {
    const id = deploy.context.newId<"network">();
    deploy.draft.create("network", { ...spec, id, createdAtMs: deploy.context.nowMs });
    note(deploy, "create", "network", { id, name: spec.name }, spec.external ? "external" : spec.driver);
    return;
  }
  if (isOwnedByAnother(existing, spec)) throw taken("network", spec.name, existing.stack);
  const { id: _id, index: _index, createdAtMs: _created, ...known } = existing;
  if (spec.external || isSame(known, spec)) {
    step(deploy, "unchanged", "network", spec.name, "");
    return;
  }
  deploy.draft.replace("network", existing, { ...spec, id: existing.id, createdAtMs: existing.createdAtMs });
  note(deploy, "update", "network", existing, "its description changed");
}

function removeNetworks(deploy: Deploy, wanted: ReadonlySet<string>): void {
  const gone = [...deploy.state.network.values()].filter(
    (network) => network.stack === deploy.stack && !wanted.has(network.name),
  );
  for (const network of gone.sort(byName)) {
    deploy.draft.remove("network", network);
    note(deploy, "remove", "network", network, "");
  }
}

function deployVolume(deploy: Deploy, spec: VolumeSpec): void {
  const existing = [...deploy.state.volume.values()].find((volume) => volume.name === spec.name);
  if (existing === undefined) {
    const id = deploy.context.newId<"volume">();
    deploy.draft.create("volume", { ...spec, id, createdAtMs: deploy.context.nowMs });
    note(deploy, "create", "volume", { id, name: spec.name }, spec.external ? "external" : spec.driver);
    return;
  }
  if (isOwnedByAnother(existing, spec)) throw taken("volume", spec.name, existing.stack);
  const { id: _id, index: _index, createdAtMs: _created, ...known } = existing;
  if (spec.external || isSame(known, spec)) {
    step(deploy, "unchanged", "volume", spec.name, "");
    return;
  }
  if (existing.driver !== spec.driver || !isSame(existing.driverOpts, spec.driverOpts)) {
    throw new DavitError(
      "conflict",
      `deploy ${deploy.stack}: volume ${spec.name} exists, and a volume's driver and options cannot change`,
      {
        wayOut:
          "give the new one another name and copy the data, or remove the stack with its volumes first: davit stack rm --volumes",
      },
    );
  }
  deploy.draft.replace("volume", existing, { ...spec, id: existing.id, createdAtMs: existing.createdAtMs });
  note(deploy, "update", "volume", existing, "its labels changed");
}

function removeStackVolume(deploy: Deploy, volume: Volume): void {
  const user = [...deploy.state.service.values()].find(
    (service) => service.stack !== deploy.stack && mounts(deploy.state, service, volume),
  );
  if (user !== undefined) {
    throw new DavitError("in_use", `remove volume ${volume.name}: service ${user.name} mounts it`, {
      wayOut: "keep the volumes, or remove that service first",
    });
  }
  deploy.draft.remove("volume", volume);
  deploy.draft.change({ op: "delete", kind: "volumePin", id: volume.id });
  note(deploy, "remove", "volume", volume, "forgotten; its data stays on the node");
}

/** Whether the version that a service should run mounts a volume. */
export function mounts(state: State, service: Service, volume: Volume): boolean {
  return specOf(state, service).template.container.mounts.some(
    (mount) => mount.kind === "volume" && mount.volume === volume.name,
  );
}

/** An external name may be anybody's; one that a stack makes is its own. */
function isOwnedByAnother(existing: Network | Volume, spec: NetworkSpec | VolumeSpec): boolean {
  return !spec.external && existing.stack !== spec.stack;
}

function taken(noun: string, name: string, owner: string | undefined): DavitError {
  const whose = owner === undefined ? "belongs to no stack" : `belongs to stack ${owner}`;
  return new DavitError("already_exists", `deploy ${noun} ${name}: the name is taken and ${whose}`, {
    wayOut: "give the stack or the name another one",
  });
}

/** What runs beside the stack. */
function specsOutside(state: State, stack: string): readonly ServiceSpec[] {
  return [...state.service.values()]
    .filter((service) => service.stack !== stack)
    .map((service) => specOf(state, service));
}

function warningsOf(state: State, spec: StackSpec): readonly string[] {
  const names = new Set(spec.volumes.map((volume) => volume.name));
  const left = [...state.volume.values()].filter((volume) => volume.stack === spec.name && !names.has(volume.name));
  return [
    ...left.map((volume) => `volume ${volume.name} is not in the stack any more; its data is kept`),
    ...placementWarnings(state, spec.services),
  ];
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

/** A step on a volume or network, with its event. */
function note(
  deploy: Deploy,
  kind: "create" | "update" | "remove",
  noun: "volume" | "network",
  subject: { readonly id: string; readonly name: string },
  description: string,
): void {
  const done = { create: "created", update: "updated", remove: "removed" }[kind];
  const message = `${noun} ${subject.name} ${done}${description === "" ? "" : `: ${description}`}`;
  deploy.draft.event({ type: `${noun}.${done}`, subject: { kind: noun, id: subject.id, name: subject.name }, message });
  step(deploy, kind, noun, subject.name, description, `${noun}.${done}`);
}

function step(
  deploy: Deploy,
  kind: DeployStepView["kind"],
  noun: DeployStepView["subject"]["kind"],
  name: string,
  description: string,
  eventType?: string,
  replacesTasks = false,
): void {
  deploy.steps.push({
    kind,
    subject: { kind: noun, name },
    description,
    replacesTasks,
    ...(eventType === undefined ? {} : { eventType }),
  });
}

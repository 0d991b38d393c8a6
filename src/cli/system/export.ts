// davit export --kubernetes: a stack as manifests for another system, with everything that they do not carry said by name. Needs no
// coordinator and no cluster.

import { buildCommand } from "@stricli/core";
import { parsePortRange } from "../../compose/spec/values.ts";
import { type ComposeNode, get, type MapNode } from "../../compose/tree/node.ts";
import { DavitError } from "../../core/model/errors.ts";
import type { StackSpec } from "../../core/model/service-spec.ts";
import type { Exported, ExportedPort, ExportOptions, IngressRoute, Publish } from "../../kubernetes/manifest.ts";
import { COMPOSE_FLAGS, type ComposeFlags, readCompose } from "../compose-files.ts";
import { type CliContext, JSON_FLAG, note, say, sayJson } from "../context.ts";

type Flags = ComposeFlags & {
  readonly kubernetes: boolean;
  readonly namespace?: string;
  readonly publish: Publish;
  readonly ingressHost?: readonly IngressRoute[];
  readonly ingressClass?: string;
  readonly ingressTls?: string;
  readonly secretEnv?: readonly string[];
  readonly volumeSize: string;
  readonly storageClass?: string;
  readonly networkPolicies: boolean;
  readonly imagePullSecret?: readonly string[];
  readonly output?: string;
  readonly strict: boolean;
  readonly json: boolean;
};

const text = <Brief extends string, Placeholder extends string>(brief: Brief, placeholder: Placeholder) =>
  ({ kind: "parsed", parse: String, optional: true, brief, placeholder }) as const;

export const exportStack = buildCommand<Flags, [], CliContext>({
  docs: {
    brief: "print a stack as manifests of Kubernetes, and what they do not carry",
    fullDescription:
      "docs/kubernetes.md says what becomes of what. Notes go to standard error and above the manifests.",
  },
  parameters: {
    aliases: { f: "file", o: "output" },
    flags: {
      ...COMPOSE_FLAGS,
      kubernetes: { kind: "boolean", brief: "for Kubernetes, the only system there is an export for", default: false },
      namespace: { ...text("the namespace of everything that has one", "NS"), parse: parseLabel },
      publish: {
        kind: "enum",
        values: ["load-balancer", "node-port", "cluster-ip"],
        brief: "what published ports become",
        default: "load-balancer",
      },
      ingressHost: {
        kind: "parsed",
        parse: parseRoute,
        variadic: true,
        optional: true,
        brief: "send the requests for a host name to a service",
        placeholder: "HOST=SERVICE[:PORT]",
      },
      ingressClass: { ...text("the class of the Ingress", "CLASS"), parse: parseLabel },
      ingressTls: { ...text("the Secret with the certificate for the host names", "SECRET"), parse: parseLabel },
      secretEnv: {
        kind: "parsed",
        parse: String,
        variadic: true,
        optional: true,
        brief: "put this variable of environment: into a Secret",
        placeholder: "NAME",
      },
      volumeSize: {
        kind: "parsed",
        parse: parseSize,
        brief: "what each claim asks for",
        placeholder: "SIZE",
        default: "1Gi",
      },
      storageClass: { ...text("the storage class of the claims (the cluster's default)", "CLASS"), parse: parseLabel },
      networkPolicies: { kind: "boolean", brief: "keep services apart that share no network", default: false },
      imagePullSecret: {
        kind: "parsed",
        parse: parseLabel,
        variadic: true,
        optional: true,
        brief: "a Secret with the credentials of a private registry",
        placeholder: "SECRET",
      },
      output: text("write a file for each manifest there, instead of printing them", "DIR"),
      strict: { kind: "boolean", brief: "fail if anything is not carried over", default: false },
      json: { ...JSON_FLAG, brief: "print {manifests, notes} as JSON" },
    },
  },
  async func(flags) {
    if (!flags.kubernetes)
      throw new DavitError("invalid_input", "export: to which system was not said", {
        wayOut: "write davit export --kubernetes",
      });
    const { stack, merged } = await readCompose(this, flags);
    const { exportStack: exported } = await import("../../kubernetes/export.ts");
    const result = exported(stack, optionsOf(flags, stack, merged));
    if (flags.strict) refuseNotes(stack, result);
    await show(this, flags, result);
  },
});

async function show(context: CliContext, flags: Flags, { manifests, notes }: Exported): Promise<void> {
  const { printManifests, printNote } = await import("../../kubernetes/print.ts");
  if (flags.json) return sayJson(context, { manifests, notes });
  for (const one of notes) note(context, `not carried over: ${printNote(one)}`);
  if (flags.output === undefined) context.process.stdout.write(printManifests(manifests, notes));
  else {
    const { writeManifests } = await import("./export-files.ts");
    const { stale } = writeManifests(context.cwd, flags.output, manifests, notes);
    for (const name of stale)
      note(context, `warning: ${flags.output}/${name} is of an earlier export and made no more: remove it`);
    say(context, `${manifests.length} manifests are in ${flags.output}: kubectl apply -f ${flags.output}`);
  }
}

function refuseNotes(stack: StackSpec, { notes }: Exported): void {
  if (notes.length === 0) return;
  const count = `${notes.length} ${notes.length === 1 ? "thing is" : "things are"}`;
  throw new DavitError("not_supported", `export ${stack.name}: ${count} not carried over`, {
    details: notes.map(({ at, message, wayOut }) => ({ where: at, message, wayOut })),
    wayOut: "without --strict the manifests are made all the same",
  });
}

function optionsOf(flags: Flags, stack: StackSpec, merged: MapNode): ExportOptions {
  const { namespace, publish, ingressClass, ingressTls, volumeSize, storageClass, networkPolicies } = flags;
  return {
    publish,
    ingress: flags.ingressHost ?? [],
    secretEnv: flags.secretEnv ?? [],
    volumeSize,
    networkPolicies,
    imagePullSecrets: flags.imagePullSecret ?? [],
    exposed: ofServices(stack, merged, (service) => exposedOf(get(service, "expose"))),
    ...(namespace === undefined ? {} : { namespace }),
    ...(ingressClass === undefined ? {} : { ingressClass }),
    ...(ingressTls === undefined ? {} : { ingressTls }),
    ...(storageClass === undefined ? {} : { storageClass }),
  };
}

/** What the file says of each service, by the service's full name. */
function ofServices<Value>(
  { name, services }: StackSpec,
  merged: MapNode,
  read: (service: MapNode) => readonly Value[],
): Readonly<Record<string, readonly Value[]>> {
  const written = get(merged, "services");
  const entries = services.flatMap((service): readonly (readonly [string, readonly Value[]])[] => {
    const map = written?.kind === "map" ? get(written, service.name.slice(name.length + 1)) : undefined;
    return map?.kind === "map" ? [[service.name, read(map)]] : [];
  });
  return Object.fromEntries(entries);
}

/** `expose:` is no part of a specification, since davit needs no list of what listens; a Service does. */
function exposedOf(node: ComposeNode | undefined): readonly ExportedPort[] {
  return node?.kind === "list" ? node.items.flatMap((item) => (item.kind === "scalar" ? portsOf(item.text) : [])) : [];
}

/** "3000", "4000-4002/udp". */
function portsOf(written: string): readonly ExportedPort[] {
  const [range = "", protocol = "tcp"] = written.split("/");
  const ports = parsePortRange(range);
  if (ports === undefined) return [];
  const length = ports.to - ports.from + 1;
  return Array.from({ length }, (_, at) => ({ port: ports.from + at, protocol: protocol === "udp" ? "udp" : "tcp" }));
}

function parseRoute(word: string): IngressRoute {
  const match = /^([^=\s]+)=([^=:\s]+)(?::(\d{1,5}))?$/.exec(word);
  const port = Number(match?.[3] ?? 1);
  if (match === null || port < 1 || port > 65_535)
    throw new DavitError("invalid_input", `--ingress-host: '${word}' is no route`, {
      wayOut: "write HOST=SERVICE or HOST=SERVICE:PORT, as shop.example.org=web:8080",
    });
  return { host: match[1] ?? "", service: match[2] ?? "", ...(match[3] === undefined ? {} : { port }) };
}

function parseLabel(word: string): string {
  if (word.length <= 63 && /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(word)) return word;
  throw new DavitError("invalid_input", `'${word}' is no name in Kubernetes`, {
    wayOut: "use lower-case letters, digits and -, at most 63",
  });
}

function parseSize(word: string): string {
  if (/^[1-9]\d*(\.\d+)?([KMGTPE]i?|k)?$/.test(word) && word !== "") return word;
  throw new DavitError("invalid_input", `--volume-size: '${word}' is no size`, { wayOut: "write 1Gi, 500Mi or bytes" });
}

// Claims on volumes, and the volumes behind those on NFS shares. Pure.

import type { VolumeSpec } from "../core/model/service-spec.ts";
import { annotationsOf, type StackContext, volumeNamed } from "./context.ts";
import { type Fields, type Manifest, told } from "./manifest.ts";
import { dnsLabel, MAX_SUBDOMAIN, shortName } from "./names.ts";
import type { NfsShare, VolumePlan } from "./volumes.ts";

/** Those that no StatefulSet makes itself. */
export function claims(context: StackContext): readonly Manifest[] {
  return [...context.volumes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([full, plan]) => {
      const volume = volumeNamed(context.stack, full);
      if (plan.kind === "nfs") return shareOf(context, volume, plan.name, plan.share);
      if (plan.kind === "claim" && plan.isMade && !plan.isTemplate) return [claimOf(context, volume, plan)];
      noteLabels(context, volume, plan);
      return [];
    });
}

/** The claim of a StatefulSet's template, named as in the pod. */
export function claimTemplate(context: StackContext, full: string, name: string): Manifest {
  const volume = volumeNamed(context.stack, full);
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, ...annotated(context, volume) },
    spec: claimSpec(context, "ReadWriteOnce"),
  };
}

type Claim = Extract<VolumePlan, { readonly kind: "claim" }>;

function claimOf(context: StackContext, volume: VolumeSpec, { name, isShared }: Claim): Manifest {
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, labels: context.labels, ...annotated(context, volume) },
    spec: claimSpec(context, isShared ? "ReadWriteMany" : "ReadWriteOnce"),
  };
}

function claimSpec({ options }: StackContext, mode: string): Fields {
  return {
    accessModes: [mode],
    storageClassName: options.storageClass,
    resources: { requests: { storage: options.volumeSize } },
  };
}

/** A share that is there already: a volume of its own, which only this claim gets, and which outlives it. */
function shareOf(context: StackContext, volume: VolumeSpec, name: string, share: NfsShare): readonly Manifest[] {
  const { server, path, readOnly, mountOptions } = share;
  const { volumeSize, namespace } = context.options;
  // volumes belong to the whole cluster
  const owner = namespace === undefined ? context.stack.name : `${namespace}-${context.stack.name}`;
  const volumeName = dnsLabel(`${owner}-${name}`, MAX_SUBDOMAIN);
  const accessModes = ["ReadWriteMany"];
  const metadata = { labels: context.labels, ...annotated(context, volume) };
  return [
    {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: volumeName, ...metadata },
      spec: {
        capacity: { storage: volumeSize },
        accessModes,
        persistentVolumeReclaimPolicy: "Retain",
        storageClassName: "",
        mountOptions: mountOptions.length === 0 ? undefined : mountOptions,
        nfs: { server, path, readOnly: readOnly || undefined },
      },
    },
    {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name, ...metadata },
      spec: { accessModes, storageClassName: "", volumeName, resources: { requests: { storage: volumeSize } } },
    },
  ];
}

function annotated(
  context: StackContext,
  volume: VolumeSpec,
): { readonly annotations?: Readonly<Record<string, string>> } {
  const note = context.noteOn(`volumes.${shortName(volume.name, context.stack.name)}`);
  const annotations = annotationsOf(volume.labels, "labels", note);
  return annotations === undefined ? {} : { annotations };
}

function noteLabels(context: StackContext, volume: VolumeSpec, plan: VolumePlan): void {
  const isElsewhere = plan.kind === "claim" && plan.isMade;
  if (isElsewhere || Object.keys(volume.labels).length === 0) return;
  context.noteOn(`volumes.${shortName(volume.name, context.stack.name)}`)(
    "labels",
    `${told(volume.labels)}: there is no claim to carry them`,
    "leave them out",
  );
}

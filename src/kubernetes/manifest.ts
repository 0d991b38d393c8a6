// What an export is made of: manifests as plain data, notes on what they do not carry, and the choices of the user. Pure.

/** A value of a manifest; what is undefined is left out. */
export type Value = string | number | boolean | undefined | readonly Value[] | { readonly [key: string]: Value };
export type Fields = { readonly [key: string]: Value };

export type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [key: string]: Value;
};

/** Something that the stack asks for and the manifests do not give, or not in the same way. */
export type Note = {
  /** "web: sysctls", "volumes.data: driver". */
  readonly at: string;
  readonly message: string;
  readonly wayOut: string;
};

export type ExportedPort = { readonly port: number; readonly protocol: "tcp" | "udp" };

export type Publish = "load-balancer" | "node-port" | "cluster-ip";

/** A host name whose requests go to a service; without a path, all of them; without a port, to its only one. */
export type IngressRoute = {
  readonly host: string;
  readonly path?: string;
  readonly service: string;
  readonly port?: number;
};

export type ExportOptions = {
  readonly namespace?: string;
  /** What becomes of published ports. */
  readonly publish: Publish;
  readonly ingress: readonly IngressRoute[];
  readonly ingressClass?: string;
  /** A Secret of type kubernetes.io/tls for all hosts. */
  readonly ingressTls?: string;
  /** Names of environment variables that go into Secrets. */
  readonly secretEnv: readonly string[];
  /** What each claim asks for, such as 1Gi. */
  readonly volumeSize: string;
  readonly storageClass?: string;
  readonly networkPolicies: boolean;
  /** Secrets with the credentials of private registries. */
  readonly imagePullSecrets: readonly string[];
  /** Ports that services listen on besides published ones, by the service's full name. */
  readonly exposed: Readonly<Record<string, readonly ExportedPort[]>>;
};

export type Exported = { readonly manifests: readonly Manifest[]; readonly notes: readonly Note[] };

/** Adds a note on a key of what is being exported. */
export type Noting = (key: string, message: string, wayOut: string) => void;

/** The list, or undefined when it is empty: the field is then left out. */
export function some<Item>(list: readonly Item[]): readonly Item[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** The fields that are defined, or undefined when none is. */
export function someOf(fields: Fields): Fields | undefined {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** The same value without anything undefined in it. */
export function compact<Given extends Value>(value: Given): Given {
  if (Array.isArray(value)) return value.map(compact) as unknown as Given;
  if (typeof value !== "object") return value;
  const entries = Object.entries(value).flatMap(([key, item]): readonly (readonly [string, Value])[] =>
    item === undefined ? [] : [[key, compact(item)]],
  );
  return Object.fromEntries(entries) as Given;
}

/** A value of a specification as a note tells it: "nofile 1024 2048", "tag app". */
export function told(value: unknown): string {
  if (Array.isArray(value)) return value.map(told).join(", ");
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .map(([key, item]) => (typeof item === "object" ? `${key} (${told(item)})` : `${key} ${told(item)}`))
    .join(", ");
}

/** Whole seconds, rounded up, since Kubernetes knows no shorter ones. */
export function seconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}

/** Kubernetes fills in $(NAME) in commands, arguments, values of variables and commands of probes; a doubled dollar is a plain one. */
export function escapeDollars(text: string): string {
  return text.replaceAll(/\$(?=[$(])/g, "$$$$");
}

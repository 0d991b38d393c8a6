// The surface of the API's client: how to reach a coordinator, and one method for each thing that can be asked of it. Types only.

import type { RebalanceView } from "../core/model/rebalance-views.ts";
import type { EndpointsView } from "../core/model/endpoint-views.ts";
import type { Duplex } from "node:stream";
import type { PeerCheckView } from "../core/model/peer-check.ts";
import type {
  AuthorityView,
  CertificateRequest,
  CertificateView,
  IngressRouteView,
  IngressStatsView,
} from "../core/model/ingress-views.ts";
import type { StackSpec } from "../core/model/service-spec.ts";
import type {
  AuditView,
  DeployView,
  EventView,
  HealthView,
  JobDetailView,
  JobView,
  JoinProgress,
  JoinRequest,
  LogMessage,
  NetworkView,
  NodePatch,
  NodeView,
  ProgressView,
  RegistryRequest,
  RegistryView,
  ServiceDetailView,
  ServiceExplainView,
  ServicePatch,
  ServiceView,
  StackDetailView,
  StackView,
  TaskView,
  TokenCreated,
  TokenRequest,
  TokenView,
  VersionView,
  VolumeView,
} from "../core/model/views.ts";
import type { RolloutDetailView, RolloutView } from "../core/model/rollout-views.ts";

/** Where the coordinator is. `dial` opens a fresh stream to its API for each request: an SSH channel, a pipe. */
export type ClientTarget =
  | { readonly kind: "socket"; readonly socketPath: string }
  | { readonly kind: "url"; readonly url: string; readonly token: string }
  | {
      readonly kind: "dial";
      readonly dial: () => Promise<Duplex>;
      readonly target: string;
      readonly token?: string;
    };

export type ClientOptions = {
  /** Until the answer's headers are there; then streams may be silent as long as the server keeps them alive. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** Written into the server's log and audit trail: "davit/1.2.3". */
  readonly userAgent?: string;
};

export type LogQuery = {
  readonly follow?: boolean;
  readonly tail?: number;
  readonly since?: string;
};
export type TaskFilter = {
  readonly node?: string;
  readonly service?: string;
  readonly stack?: string;
  readonly all?: boolean;
};
/** Only if the record is still at this index; else `out_of_sequence`. */
export type IfMatch = { readonly ifMatch?: number };

export type RolloutVerb = "pause" | "resume" | "abort" | "promote";

export type ExecQuery = {
  readonly argv: readonly string[];
  readonly tty: boolean;
  readonly cols?: number;
  readonly rows?: number;
  readonly user?: string;
  readonly workingDir?: string;
};

/** A command running in a task's container. */
export interface ExecStream {
  write(bytes: Uint8Array): void;
  /** Ends the command's standard input. */
  end(): void;
  resize(cols: number, rows: number): void;
  /** Called with each piece of output, in order. Set right after opening; earlier output waits for it. */
  onOutput(receive: (stream: "stdout" | "stderr", bytes: Uint8Array) => void): void;
  /** The exit code, after all output; rejects with DavitError when the stream broke before it. */
  readonly exited: Promise<number>;
  close(): void;
}

/** Every method rejects with DavitError: the server's own, or `unavailable`/`timeout` when it does not answer. Names, ids and unique prefixes are all right as `ref`. */
export interface DavitClient {
  version(): Promise<VersionView>;
  health(): Promise<HealthView>;
  openapi(): Promise<Readonly<Record<string, unknown>>>;

  nodes(): Promise<readonly NodeView[]>;
  node(ref: string): Promise<NodeView>;
  nodeTasks(ref: string): Promise<readonly TaskView[]>;
  /** What the agent holds and sees. */
  nodeState(ref: string): Promise<unknown>;
  /** Measures the way from one node to another; takes some seconds. */
  checkNode(ref: string, peer: string, options?: { readonly throughput?: boolean }): Promise<PeerCheckView>;
  join(request: JoinRequest, onProgress: (progress: JoinProgress) => void, signal?: AbortSignal): Promise<NodeView>;
  updateNode(ref: string, patch: NodePatch, options?: IfMatch): Promise<NodeView>;
  confirmDead(ref: string): Promise<NodeView>;
  removeNode(
    ref: string,
    options: { readonly force?: boolean; readonly volumes?: boolean },
    onProgress: (progress: JoinProgress) => void,
    signal?: AbortSignal,
  ): Promise<void>;

  services(filter?: { readonly stack?: string }): Promise<readonly ServiceView[]>;
  service(ref: string): Promise<ServiceDetailView>;
  serviceTasks(ref: string, options?: { readonly all?: boolean }): Promise<readonly TaskView[]>;
  scale(ref: string, replicas: number, options?: IfMatch): Promise<ServiceView>;
  updateService(ref: string, patch: ServicePatch, options?: IfMatch): Promise<ServiceView>;
  /** New tasks of the same version, within the update policy. */
  restart(ref: string, options?: IfMatch): Promise<ServiceView>;
  /** For every node why a task of the service would go there, or why not. */
  endpoints(ref: string): Promise<EndpointsView>;
  explain(ref: string): Promise<ServiceExplainView>;
  /** Absent `to`: the previous version. */
  rollback(ref: string, options?: IfMatch & { readonly to?: number }): Promise<ServiceView>;
  /** Has its ingress routes answer with a page, or lead to it again. */
  maintenance(ref: string, isOn: boolean, options?: IfMatch): Promise<ServiceView>;
  removeService(ref: string, options?: IfMatch): Promise<ServiceView>;
  serviceLogs(ref: string, query?: LogQuery, signal?: AbortSignal): AsyncIterable<LogMessage>;

  /** The last change of each service that was changed, those under way first. */
  rollouts(filter?: { readonly stack?: string }): Promise<readonly RolloutView[]>;
  rollout(ref: string): Promise<RolloutDetailView>;
  changeRollout(ref: string, verb: RolloutVerb, options?: IfMatch): Promise<ServiceView>;
  jobs(filter?: { readonly stack?: string }): Promise<readonly JobView[]>;
  job(ref: string): Promise<JobDetailView>;
  runJob(ref: string, options?: IfMatch): Promise<JobView>;
  suspendJob(ref: string, options?: IfMatch): Promise<JobView>;
  resumeJob(ref: string, options?: IfMatch): Promise<JobView>;
  /** Of one run, by its number; of the newest unless told. */
  jobLogs(ref: string, query?: LogQuery & { readonly run?: number }, signal?: AbortSignal): AsyncIterable<LogMessage>;

  tasks(filter?: TaskFilter): Promise<readonly TaskView[]>;
  task(ref: string): Promise<TaskView>;
  accessLog(ref: string, query?: LogQuery, signal?: AbortSignal): AsyncIterable<LogMessage>;
  taskLogs(ref: string, query?: LogQuery, signal?: AbortSignal): AsyncIterable<LogMessage>;
  exec(ref: string, query: ExecQuery): Promise<ExecStream>;

  /** Moves tasks to where they would be placed now. `moves`: those that a user saw in a dry run; else `out_of_sequence`. */
  rebalance(options?: {
    readonly dryRun?: boolean;
    readonly moves?: readonly { readonly taskId: string; readonly nodeId: string }[];
  }): Promise<RebalanceView>;

  stacks(): Promise<readonly StackView[]>;
  stack(name: string): Promise<StackDetailView>;
  deploy(spec: StackSpec, options?: { readonly dryRun?: boolean }): Promise<DeployView>;
  /** `volumes`: remove its volumes from davit's records too. */
  removeStack(name: string, options?: { readonly volumes?: boolean }): Promise<DeployView>;

  /** The progress of services (ids; a removed service is still followed by its id) on each change; ends when all are done. */
  progress(
    serviceIds: readonly string[],
    options?: { readonly waitMonitor?: boolean },
    signal?: AbortSignal,
  ): AsyncIterable<readonly ProgressView[]>;
  /**
   * Events from now on, or after `since`; with `past` all that are kept, to an end. `type` is a prefix such as "task." With `reconnect` it
   * goes on after a broken connection where it was.
   */
  events(
    options?: { readonly since?: number; readonly past?: true; readonly type?: string; readonly reconnect?: boolean },
    signal?: AbortSignal,
  ): AsyncIterable<EventView>;
  audit(options?: { readonly since?: number; readonly limit?: number }): Promise<readonly AuditView[]>;

  ingress(): Promise<readonly IngressRouteView[]>;
  /** Of all services, or of one. */
  ingressStats(filter?: { readonly service?: string }): Promise<IngressStatsView>;
  certificates(): Promise<readonly CertificateView[]>;
  authority(): Promise<AuthorityView>;
  putCertificate(name: string, request: CertificateRequest): Promise<CertificateView>;
  removeCertificate(name: string): Promise<void>;
  renewCertificate(name: string): Promise<CertificateView>;

  registries(): Promise<readonly RegistryView[]>;
  login(host: string, credentials: RegistryRequest): Promise<RegistryView>;
  logout(host: string): Promise<void>;

  tokens(): Promise<readonly TokenView[]>;
  createToken(request: TokenRequest): Promise<TokenCreated>;
  revokeToken(ref: string): Promise<TokenView>;

  volumes(): Promise<readonly VolumeView[]>;
  removeVolume(ref: string): Promise<void>;
  networks(): Promise<readonly NetworkView[]>;
}

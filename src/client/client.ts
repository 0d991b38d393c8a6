// The typed client of the coordinator's API: one method for each endpoint. It knows paths and shapes, no server code. Used by the command
// line, the dashboard and tests.

import type { RebalanceView } from "../core/model/rebalance-views.ts";
import type { EndpointsView } from "../core/model/endpoint-views.ts";
import type { RolloutDetailView, RolloutView } from "../core/model/rollout-views.ts";
import type { PeerCheckView } from "../core/model/peer-check.ts";
import type {
  AuthorityView,
  CertificateView,
  IngressRouteView,
  IngressStatsView,
} from "../core/model/ingress-views.ts";
import type * as views from "../core/model/views.ts";
import { DavitError } from "../core/model/errors.ts";
import { openExec } from "./exec.ts";
import { readEvents, type ServerEvent } from "./sse.ts";
import { type Call, createTransport, problemError, type Transport } from "./transport.ts";
import type { ClientOptions, ClientTarget, DavitClient, IfMatch, LogQuery } from "./types.ts";

/** Between attempts to get back to a stream of events: soon, then every few seconds. */
const RECONNECT_MS: readonly number[] = [200, 1_000, 2_000, 5_000];

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** A client of the coordinator at `target`. Nothing is opened before the first call. */
export function createClient(target: ClientTarget, options: ClientOptions = {}): DavitClient {
  const transport = createTransport(target, options);
  return {
    ...readers(transport),
    ...nodeCalls(transport),
    ...serviceCalls(transport),
    ...accessCalls(transport),
    ...streams(transport),
  };
}

function get<Answer>(transport: Transport, path: string, query: Query = {}): Promise<Answer> {
  return transport.json({ method: "GET", path: withQuery(path, query) }) as Promise<Answer>;
}

function send<Answer>(
  transport: Transport,
  method: Call["method"],
  path: string,
  body?: unknown,
  options: IfMatch = {},
): Promise<Answer> {
  const headers = options.ifMatch === undefined ? {} : { "if-match": `"${options.ifMatch}"` };
  return transport.json({ method, path, headers, ...(body === undefined ? {} : { body }) }) as Promise<Answer>;
}

/** True is written as 1; false and undefined are left out. */
function withQuery(path: string, query: Query): string {
  const entries = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === undefined || value === false ? [] : [[name, value === true ? "1" : String(value)]],
  );
  return entries.length === 0 ? path : `${path}?${new URLSearchParams(entries).toString()}`;
}

function at(noun: string, ref: string, rest = ""): string {
  return `/v1/${noun}/${encodeURIComponent(ref)}${rest}`;
}

function readers(transport: Transport) {
  return {
    version: () => get<views.VersionView>(transport, "/v1/version"),
    health: () => get<views.HealthView>(transport, "/v1/health"),
    openapi: () => get<Readonly<Record<string, unknown>>>(transport, "/v1/openapi.json"),
    nodes: () => get<readonly views.NodeView[]>(transport, "/v1/nodes"),
    node: (ref) => get<views.NodeView>(transport, at("nodes", ref)),
    nodeTasks: (ref) => get<readonly views.TaskView[]>(transport, at("nodes", ref, "/tasks")),
    nodeState: (ref) => get<unknown>(transport, at("nodes", ref, "/state")),
    services: (filter = {}) => get<readonly views.ServiceView[]>(transport, "/v1/services", filter),
    service: (ref) => get<views.ServiceDetailView>(transport, at("services", ref)),
    endpoints: (ref) => get<EndpointsView>(transport, at("services", ref, "/endpoints")),
    explain: (ref) => get<views.ServiceExplainView>(transport, at("services", ref, "/explain")),
    serviceTasks: (ref, options = {}) =>
      get<readonly views.TaskView[]>(transport, at("services", ref, "/tasks"), options),
    jobs: (filter = {}) => get<readonly views.JobView[]>(transport, "/v1/jobs", filter),
    rollouts: (filter = {}) => get<readonly RolloutView[]>(transport, "/v1/rollouts", filter),
    rollout: (ref) => get<RolloutDetailView>(transport, at("rollouts", ref)),
    job: (ref) => get<views.JobDetailView>(transport, at("jobs", ref)),
    tasks: (filter = {}) => get<readonly views.TaskView[]>(transport, "/v1/tasks", filter),
    task: (ref) => get<views.TaskView>(transport, at("tasks", ref)),
    stacks: () => get<readonly views.StackView[]>(transport, "/v1/stacks"),
    stack: (name) => get<views.StackDetailView>(transport, at("stacks", name)),
    audit: (options = {}) => get<readonly views.AuditView[]>(transport, "/v1/audit", options),
    ingress: () => get<readonly IngressRouteView[]>(transport, "/v1/ingress"),
    ingressStats: (filter = {}) => get<IngressStatsView>(transport, "/v1/ingress/stats", filter),
    certificates: () => get<readonly CertificateView[]>(transport, "/v1/certificates"),
    authority: () => get<AuthorityView>(transport, "/v1/authority"),
    registries: () => get<readonly views.RegistryView[]>(transport, "/v1/registries"),
    tokens: () => get<readonly views.TokenView[]>(transport, "/v1/tokens"),
    volumes: () => get<readonly views.VolumeView[]>(transport, "/v1/volumes"),
    networks: () => get<readonly views.NetworkView[]>(transport, "/v1/networks"),
  } satisfies Partial<DavitClient>;
}

function nodeCalls(transport: Transport) {
  return {
    join: (request, onProgress, signal) =>
      steps(transport, { method: "POST", path: "/v1/nodes", body: request, signal }, onProgress),
    updateNode: (ref, patch, options) => send<views.NodeView>(transport, "PATCH", at("nodes", ref), patch, options),
    checkNode: (ref, peer, options = {}) =>
      send<PeerCheckView>(transport, "POST", withQuery(at("nodes", ref, "/check"), { peer, ...options })),
    confirmDead: (ref) => send<views.NodeView>(transport, "POST", at("nodes", ref, "/confirm-dead")),
    removeNode: async (ref, options, onProgress, signal) => {
      await steps(transport, { method: "DELETE", path: withQuery(at("nodes", ref), options), signal }, onProgress);
    },
  } satisfies Partial<DavitClient>;
}

function serviceCalls(transport: Transport) {
  return {
    scale: (ref, replicas, options) =>
      send<views.ServiceView>(transport, "POST", at("services", ref, "/scale"), { replicas }, options),
    updateService: (ref, patch, options) =>
      send<views.ServiceView>(transport, "POST", at("services", ref, "/update"), patch, options),
    rollback: (ref, options = {}) =>
      send<views.ServiceView>(
        transport,
        "POST",
        at("services", ref, "/rollback"),
        options.to === undefined ? {} : { to: options.to },
        options,
      ),
    restart: (ref, options) =>
      send<views.ServiceView>(transport, "POST", at("services", ref, "/restart"), undefined, options),
    maintenance: (ref, isOn, options) =>
      send<views.ServiceView>(transport, "POST", at("services", ref, "/maintenance"), { on: isOn }, options),
    removeService: (ref, options) =>
      send<views.ServiceView>(transport, "DELETE", at("services", ref), undefined, options),
    changeRollout: (ref, verb, options) =>
      send<views.ServiceView>(transport, "POST", at("rollouts", ref, `/${verb}`), undefined, options),
    runJob: (ref, options) => send<views.JobView>(transport, "POST", at("jobs", ref, "/run"), undefined, options),
    suspendJob: (ref, options) =>
      send<views.JobView>(transport, "POST", at("jobs", ref, "/suspend"), undefined, options),
    resumeJob: (ref, options) => send<views.JobView>(transport, "POST", at("jobs", ref, "/resume"), undefined, options),
    exec: (ref, query) => openExec(transport, ref, query),
    deploy: (spec, options = {}) =>
      send<views.DeployView>(transport, "PUT", withQuery(at("stacks", spec.name), options), spec),
    rebalance: ({ dryRun, moves } = {}) =>
      send<RebalanceView>(
        transport,
        "POST",
        withQuery("/v1/rebalance", { dryRun }),
        moves === undefined ? {} : { moves: moves.map(({ taskId, nodeId }) => ({ taskId, nodeId })) },
      ),
    removeStack: (name, options = {}) =>
      send<views.DeployView>(transport, "DELETE", withQuery(at("stacks", name), options)),
    removeVolume: (ref) => send<void>(transport, "DELETE", at("volumes", ref)),
  } satisfies Partial<DavitClient>;
}

function accessCalls(transport: Transport) {
  return {
    login: (host, credentials) => send<views.RegistryView>(transport, "PUT", at("registries", host), credentials),
    logout: (host) => send<void>(transport, "DELETE", at("registries", host)),
    putCertificate: (name, request) => send<CertificateView>(transport, "PUT", at("certificates", name), request),
    removeCertificate: (name) => send<void>(transport, "DELETE", at("certificates", name)),
    renewCertificate: (name) => send<CertificateView>(transport, "POST", at("certificates", name, "/renew")),
    createToken: (request) => send<views.TokenCreated>(transport, "POST", "/v1/tokens", request),
    revokeToken: (ref) => send<views.TokenView>(transport, "DELETE", at("tokens", ref)),
  } satisfies Partial<DavitClient>;
}

function streams(transport: Transport) {
  return {
    serviceLogs: (ref, query = {}, signal) => logs(transport, at("services", ref, "/logs"), query, signal),
    jobLogs: (ref, query = {}, signal) => logs(transport, at("jobs", ref, "/logs"), query, signal),
    accessLog: (ref, query = {}, signal) => logs(transport, at("services", ref, "/access-log"), query, signal),
    taskLogs: (ref, query = {}, signal) => logs(transport, at("tasks", ref, "/logs"), query, signal),
    progress: (serviceIds, options = {}, signal) =>
      progress(transport, serviceIds, options.waitMonitor ?? false, signal),
    events: (options = {}, signal) => events(transport, options, signal),
  } satisfies Partial<DavitClient>;
}

async function* listen(transport: Transport, call: Call): AsyncGenerator<ServerEvent> {
  const message = await transport.stream({ ...call, headers: { accept: "text/event-stream", ...call.headers } });
  yield* readEvents(message, call.signal);
}

async function* logs(
  transport: Transport,
  path: string,
  query: LogQuery,
  signal: AbortSignal | undefined,
): AsyncGenerator<views.LogMessage> {
  for await (const { event, data } of listen(transport, { method: "GET", path: withQuery(path, query), signal })) {
    if (event === "log") yield { kind: "line", ...(data as views.LogLine) };
    else if (event === "note") yield { kind: "note", ...(data as views.LogNote) };
  }
}

async function* progress(
  transport: Transport,
  ids: readonly string[],
  waitMonitor: boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly views.ProgressView[]> {
  if (ids.length === 0) return;
  const query = new URLSearchParams(ids.map((id): [string, string] => ["service", id]));
  if (waitMonitor) query.set("waitMonitor", "1");
  for await (const { event, data } of listen(transport, {
    method: "GET",
    path: `/v1/progress?${query.toString()}`,
    signal,
  })) {
    if (event === "progress") yield data as readonly views.ProgressView[];
    else if (event === "end") return;
  }
  if (signal?.aborted !== true)
    throw new DavitError("unavailable", "the coordinator ended the stream early", {
      wayOut: "what was begun goes on without it; look again: davit service ls",
    });
}

type EventOptions = Parameters<DavitClient["events"]>[0] & object;

async function* events(
  transport: Transport,
  options: EventOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<views.EventView> {
  const { type, past, reconnect = false } = options;
  let { since } = options;
  for (let failures = 0; !isAborted(signal); failures++) {
    try {
      for await (const { event, data } of listen(transport, {
        method: "GET",
        path: withQuery("/v1/events", { since, past, type }),
        signal,
      })) {
        if (event !== "event") continue;
        const view = data as views.EventView;
        failures = 0;
        since = view.seq;
        yield view;
      }
      if (!reconnect) return;
    } catch (error) {
      const isPassing = error instanceof DavitError && (error.code === "unavailable" || error.code === "timeout");
      if (!reconnect || !isPassing) throw error;
    }
    await pause(RECONNECT_MS[Math.min(failures, RECONNECT_MS.length - 1)] ?? 0, signal);
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function pause(forMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, forMs);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

/** A long action on a host; gives the node of its result, or throws its problem. */
async function steps(
  transport: Transport,
  call: Call,
  onProgress: (progress: views.JoinProgress) => void,
): Promise<views.NodeView> {
  for await (const { event, data } of listen(transport, call)) {
    if (event === "progress") onProgress(data as views.JoinProgress);
    if (event !== "result") continue;
    const result = data as views.JoinResult;
    if ("problem" in result) throw problemError(result.problem);
    return result.node;
  }
  throw new DavitError("unavailable", "the coordinator ended the stream before the result", {
    wayOut: "run it again: steps that are done are skipped",
  });
}

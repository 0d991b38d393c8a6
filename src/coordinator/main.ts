// The coordinator's composition root: `davit up`. Reads its options, opens the store, begins its epoch, makes the adapters, starts the
// loops and the API, and ends in order on a signal. What went wrong is said in two lines, never as a stack.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { serveApi } from "../api/serve.ts";
import { createSigner, type SigningKey } from "../auth/signer.ts";
import { seal, unseal } from "../auth/seal.ts";
import { createVerifier } from "../auth/verifier.ts";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import { invariant } from "../core/model/invariant.ts";
import type { Epoch } from "../core/model/lease.ts";
import { type Cluster, DEFAULT_MESH_PORT } from "../core/model/records.ts";
import { parseCidr, renderCidr, servicePool } from "../core/model/subnets.ts";
import { applyChanges, type MutableState } from "../core/model/world.ts";
import type { Log } from "../ports/log.ts";
import type { Signer, Verifier } from "../ports/signer.ts";
import type { Store } from "../ports/store.ts";
import { HandshakeGates } from "../ssh/gate.ts";
import { NodeLinks } from "../ssh/node-links.ts";
import { nextReconnectMs } from "../ssh/reconnect.ts";
import { openStore } from "../store/open.ts";
import { createSystemClock } from "../system/clock.ts";
import { createCalendar } from "../system/calendar.ts";
import { createHasher } from "../system/hasher.ts";
import { configureLog, createLog } from "../system/log.ts";
import { createSystemRandom } from "../system/random.ts";
import { createAgentBinaries } from "./agent-binary.ts";
import { createAgentCalls } from "./agent-calls.ts";
import { createBackend } from "./backend.ts";
import { beginEpoch, clusterOf, foundingChanges, newIssuerKey } from "./begin.ts";
import { createCertificateLoop, unitBy } from "./certificates.ts";
import { CommitDoor } from "./commit-door.ts";
import { Coordinator } from "./coordinator.ts";
import { Joins } from "./join.ts";
import { startKeyRotation } from "./key-rotation.ts";
import { readUpOptions, UP_HELP, type UpOptions } from "./options.ts";
import { loadSecretKey } from "./secret-key.ts";
import { createTrust } from "./trust.ts";

/** Runs `davit up`; resolves with the exit code once it has ended. */
export async function runCoordinator(argv: readonly string[]): Promise<number> {
  try {
    const options = readUpOptions(argv, process.env);
    if (options === "help") {
      process.stdout.write(UP_HELP);
      return 0;
    }
    configureLog(options.logLevel);
    return await serve(options);
  } catch (error) {
    const wayOut = error instanceof DavitError && error.wayOut !== undefined ? `\n  way out: ${error.wayOut}` : "";
    process.stderr.write(`davit: ${reasonOf(error)}${wayOut}\n`);
    return error instanceof DavitError && error.code === "invalid_input" ? 2 : 1;
  }
}

async function serve(options: UpOptions): Promise<number> {
  const { dataDir } = options;
  const ending = Promise.withResolvers<DavitError | undefined>();
  const adapters = {
    clock: createSystemClock(),
    random: createSystemRandom(),
    hasher: createHasher(),
    nextTick: createCalendar(),
    log: createLog("coordinator"),
  };
  makeDataDir(dataDir);
  const secretKey = loadSecretKey(dataDir, adapters.random, existsSync(join(dataDir, "davit.db")));
  const { store } = await openStore({ dataDir, clock: adapters.clock });
  const { door, chain, revisionedState } = await open(store, secretKey, options, adapters, (error) =>
    ending.resolve(error),
  );
  const parts = assemble({ options, secretKey, store, door, chain, adapters, fatal: (error) => ending.resolve(error) });
  const { coordinator } = parts;
  const certificates = createCertificateLoop({ ...adapters, options, door, coordinator, secretKey });
  const api = serveApi({
    backend: parts.backend,
    socketPath: join(dataDir, "davit.sock"),
    listen: options.listen,
    verifier: parts.verifier,
    signer: parts.signer,
    log: createLog("api"),
  });
  parts.coordinator.start();
  certificates.wake();
  const rotation = startKeyRotation({
    door,
    clock: adapters.clock,
    log: adapters.log,
    newKey: () => newIssuerKey(secretKey, adapters.clock),
  });
  announce(adapters.log, options, revisionedState, chain.at(-1)?.epoch ?? 0);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ending.resolve(undefined));

  const failure = await ending.promise;
  rotation.stop();
  certificates.stop();
  parts.coordinator.stop(failure === undefined ? "the coordinator stops; your containers go on" : failure.message);
  await api.stop();
  await door.close("the coordinator is stopping");
  parts.links.close();
  if (failure !== undefined) throw failure;
  await store.close();
  adapters.log.info("stopped; the nodes go on without it");
  return 0;
}

function makeDataDir(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new DavitError("storage_failed", `start: data directory ${dataDir} cannot be made: ${reasonOf(cause)}`, {
      wayOut: "choose another with --data-dir",
      cause,
    });
  }
}

type Adapters = {
  readonly clock: ReturnType<typeof createSystemClock>;
  readonly random: ReturnType<typeof createSystemRandom>;
  readonly hasher: ReturnType<typeof createHasher>;
  readonly nextTick: ReturnType<typeof createCalendar>;
  readonly log: Log;
};

async function open(
  store: Store,
  secretKey: Uint8Array,
  options: UpOptions,
  adapters: Adapters,
  fatal: (error: DavitError) => void,
) {
  const loaded = await store.load();
  const chain = await beginEpoch(store, loaded, adapters.random);
  const epoch = chain.at(-1);
  invariant(epoch !== undefined, "an epoch was begun");
  const state: MutableState = loaded.state;
  const { addressPool, encryption, meshPort } = options;
  const founding = await foundingChanges(state, {
    ...adapters,
    secretKey,
    addressPool,
    ...(encryption === undefined ? {} : { encryption }),
    ...(meshPort === undefined ? {} : { meshPort }),
  });
  let { revision } = loaded;
  if (founding.length > 0) {
    ({ revision } = await store.commit({
      epoch: epoch.epoch,
      atMs: adapters.clock.nowMs(),
      changes: founding,
      guards: [],
      events: [],
      audit: [],
    }));
    applyChanges(state, founding);
  }
  checkFixed(clusterOf(state), options);
  const door = new CommitDoor({ store, clock: adapters.clock, epoch: epoch.epoch, state, revision, fatal });
  return { door, chain, revisionedState: state };
}

/** What was settled at the first start. */
function checkFixed(cluster: Cluster, options: UpOptions): void {
  const fixed = [
    ["address pool", "--address-pool", cluster.addressPool, options.isPoolGiven ? options.addressPool : undefined],
    ["encryption between nodes", "--encryption", cluster.encryption ?? "wireguard", options.encryption],
    ["mesh port", "--mesh-port", cluster.meshPort ?? DEFAULT_MESH_PORT, options.meshPort],
  ] as const;
  for (const [what, flag, is, given] of fixed) {
    if (given === undefined || given === is) continue;
    throw new DavitError("invalid_input", `start: this cluster's ${what} is ${is} and cannot change to ${given}`, {
      wayOut: `leave ${flag} away`,
    });
  }
}

function assemble(input: {
  readonly options: UpOptions;
  readonly secretKey: Uint8Array;
  readonly store: Store;
  readonly door: CommitDoor;
  readonly chain: Awaited<ReturnType<typeof beginEpoch>>;
  readonly adapters: Adapters;
  readonly fatal: (error: DavitError) => void;
}) {
  const { secretKey, store, door, chain, fatal } = input;
  const { clock, random, hasher, nextTick, log } = input.adapters;
  const ports = { clock, random, hasher, nextTick };
  const epoch = chain.at(-1);
  const clusterKey = door.state.clusterKey.get("cluster");
  invariant(epoch !== undefined && clusterKey !== undefined, "a cluster that has begun has an epoch and a key");
  const opened = (sealed: string): string => unseal(secretKey, sealed);
  const { trust, signer, verifier, issuerKeys } = makeTrust(door, epoch, clock, opened);
  const gates = new HandshakeGates();
  const keyPair = { publicKey: clusterKey.publicKey, privateKey: opened(clusterKey.sealedPrivateKey) };
  const links = new NodeLinks({ privateKey: keyPair.privateKey, gates });
  const coordinator = new Coordinator({
    door,
    chain,
    ...ports,
    log,
    dialer: links,
    reconnectMs: nextReconnectMs,
    trust,
    unseal: opened,
    forked: fatal,
    forget: (id) => links.forget(id),
  });
  const joins = new Joins({
    door,
    clock,
    random,
    gates,
    issuerKeys,
    clusterKey: keyPair,
    binaryFor: createAgentBinaries(input.options.dataDir, clock),
    isReady: (id) => coordinator.isReady(id),
    messageOf: (id) => coordinator.messageOf(id),
  });
  const calls = createAgentCalls({ dial: (node) => links.bulkDial(node), token: trust.agentToken });
  const backend = createBackend({
    door,
    store,
    coordinator,
    joins,
    calls,
    shell: (node) => links.shell(node),
    seal: (text) => seal(secretKey, text),
    unitOf: unitBy(hasher),
    provesByDns: input.options.acme.dnsHook !== undefined,
    epoch: epoch.epoch,
    ...ports,
    log: createLog("backend"),
  });
  return { coordinator, backend, links, signer, verifier };
}

/** The issuer's keys as they are in the state at each use: a new one is taken up without a restart. */
function makeTrust(door: CommitDoor, epoch: Epoch, clock: Adapters["clock"], opened: (sealed: string) => string) {
  const issuerKeys = (): readonly string[] => [...door.state.issuerKey.values()].map((key) => key.publicJwk);
  const keys = (): readonly SigningKey[] =>
    [...door.state.issuerKey.values()].map((key) => ({
      kid: key.id,
      privateJwk: opened(key.sealedPrivateJwk),
      createdAtMs: key.createdAtMs,
    }));
  const signer = createSigner(keys);
  const signerFor = (ids: readonly string[] | undefined): Signer => {
    const isKnown = ids !== undefined && keys().some((key) => ids.includes(key.kid));
    return isKnown ? createSigner(() => keys().filter((key) => ids.includes(key.kid))) : signer;
  };
  const verifierOf = (jwk: string): Verifier => createVerifier(() => [jwk]);
  const trust = createTrust({ cluster: clusterOf(door.state), epoch, clock, signerFor, verifierOf, issuerKeys });
  return { trust, signer, verifier: createVerifier(issuerKeys), issuerKeys };
}

function announce(log: Log, options: UpOptions, state: MutableState, epoch: number): void {
  log.info("coordinator is up", {
    socket: join(options.dataDir, "davit.sock"),
    listen: options.listen === undefined ? "off" : `${options.listen.host}:${options.listen.port}`,
    data: options.dataDir,
    epoch,
    nodes: state.node.size,
    services: state.service.size,
  });
  const { addressPool, encryption, meshPort } = clusterOf(state);
  log.info("addresses come from this pool; none of this can change later", {
    pool: addressPool,
    services: renderCidr(servicePool(parseCidr(addressPool))),
    encryption: encryption ?? "wireguard",
    port: meshPort ?? DEFAULT_MESH_PORT,
  });
}

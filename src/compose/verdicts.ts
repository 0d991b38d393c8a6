// What davit does with each key of a service: the table behind docs/compose.md and behind every "not yet". Pure data.

export type Verdict =
  /** Handed to the container engine as it is. */
  | "engine"
  /** davit does it. */
  | "davit"
  /** Known, and harmless to leave out: said as a warning. */
  | "ignored"
  /** Known; a file that uses it is refused for now. */
  | "not yet"
  /** A file that uses it is refused. */
  | "refused";

export type KeyVerdict = { readonly verdict: Verdict; readonly note: string };

function v(verdict: Verdict, note: string): KeyVerdict {
  return { verdict, note };
}

const engine = v("engine", "");

/** Every key of a service in the Compose specification. */
export const SERVICE_KEYS: Readonly<Record<string, KeyVerdict>> = {
  annotations: v("not yet", "use labels"),
  attach: v("ignored", "there is no attached mode: see davit service logs -f"),
  blkio_config: v("not yet", ""),
  build: v("refused", "build and push the image first, then name it with image:"),
  cap_add: engine,
  cap_drop: engine,
  cgroup: v("not yet", ""),
  cgroup_parent: v("not yet", ""),
  command: engine,
  configs: v("not yet", "put the file into the image, or mount it from the node with an absolute path"),
  container_name: v("ignored", "containers are named after their task: service.slot.id"),
  cpu_count: v("refused", "it is for Windows containers; use cpus"),
  cpu_percent: v("refused", "it is for Windows containers; use cpus"),
  cpu_period: v("not yet", "use cpus"),
  cpu_quota: v("not yet", "use cpus"),
  cpu_rt_period: v("not yet", ""),
  cpu_rt_runtime: v("not yet", ""),
  cpu_shares: v("not yet", "use deploy.resources.reservations.cpus"),
  cpus: v("engine", "a limit; deploy.resources.limits.cpus says the same"),
  cpuset: v("not yet", ""),
  credential_spec: v("refused", "it is for Windows containers"),
  depends_on: v("davit", "checked; the order is not honoured yet (a warning)"),
  deploy: v("davit", "scheduling, replicas, updates, resources; see below"),
  develop: v("ignored", "it is for docker compose watch"),
  device_cgroup_rules: v("not yet", ""),
  devices: engine,
  dns: engine,
  dns_opt: engine,
  dns_search: engine,
  domainname: engine,
  entrypoint: engine,
  env_file: v("davit", "read where the command runs, and sent as environment"),
  environment: engine,
  expose: v("ignored", "containers reach each other's ports without it"),
  extends: v("not yet", "use several -f files, or YAML anchors"),
  external_links: v("refused", "services find each other over networks"),
  extra_hosts: engine,
  gpus: v("not yet", "use deploy.resources.reservations.generic_resources with devices"),
  group_add: engine,
  healthcheck: v("davit", "run by the node's agent; without one, the image's own HEALTHCHECK"),
  hostname: engine,
  image: v("engine", "required"),
  init: engine,
  ipc: engine,
  isolation: v("refused", "it is for Windows containers"),
  label_file: v("not yet", "use labels"),
  labels: v("engine", "labels of the containers; deploy.labels are the service's"),
  links: v("refused", "services find each other over networks"),
  logging: v("engine", "without it: json-file, 10 MB, 3 files"),
  mac_address: v("not yet", ""),
  mem_limit: v("engine", "a limit; deploy.resources.limits.memory says the same"),
  mem_reservation: v("davit", "a reservation; deploy.resources.reservations.memory says the same"),
  mem_swappiness: v("not yet", ""),
  memswap_limit: v("not yet", ""),
  models: v("refused", "run the model as a service of its own"),
  network_mode: v("not yet", "every task has an address of its own on its node's bridge"),
  networks: v("davit", "kept with their aliases; there is no isolation between networks yet (a warning)"),
  oom_kill_disable: v("not yet", ""),
  oom_score_adj: engine,
  pid: engine,
  pids_limit: v("engine", "deploy.resources.limits.pids says the same"),
  platform: v("davit", "only nodes of that architecture are chosen"),
  ports: v("davit", "published on the node where the task runs; a range gives each task a free port of it"),
  post_start: v("not yet", ""),
  pre_stop: v("not yet", ""),
  privileged: engine,
  profiles: v("davit", "--profile"),
  provider: v("refused", "install what it provides as a service"),
  pull_policy: v("davit", "missing (the default), always, never"),
  pull_refresh_after: v("not yet", "use pull_policy: always"),
  read_only: engine,
  restart: v("davit", "the node's agent restarts; deploy.restart_policy goes before it"),
  runtime: v("not yet", ""),
  scale: v("davit", "deploy.replicas goes before it"),
  secrets: v("not yet", "use environment for now"),
  security_opt: engine,
  shm_size: engine,
  stdin_open: engine,
  stop_grace_period: v("davit", "SIGTERM to SIGKILL, 10 s"),
  stop_signal: engine,
  storage_opt: v("not yet", ""),
  sysctls: engine,
  tmpfs: engine,
  tty: engine,
  ulimits: engine,
  use_api_socket: v("refused", "mount /var/run/docker.sock if a service must drive the node's engine"),
  user: engine,
  userns_mode: v("not yet", ""),
  uts: v("not yet", ""),
  volumes: v("davit", "named volumes keep their data on one node; absolute paths are the node's"),
  volumes_from: v("refused", "name the volume in both services"),
  working_dir: engine,
};

export const TOP_LEVEL_KEYS: Readonly<Record<string, KeyVerdict>> = {
  version: v("ignored", "files of any version are read by the current specification"),
  name: v("davit", "the stack's name, unless --name is given"),
  services: v("davit", ""),
  networks: v("davit", "kept; there is no isolation between networks yet"),
  volumes: v("davit", "driver, driver_opts, labels, external, name"),
  configs: v("not yet", "put the file into the image, or mount it from the node with an absolute path"),
  secrets: v("not yet", "use environment for now"),
  include: v("not yet", "give the files with several -f"),
  models: v("refused", "run the model as a service of its own"),
};

export const DEPLOY_KEYS: Readonly<Record<string, KeyVerdict>> = {
  endpoint_mode: v("not yet", "it needs the cluster network"),
  labels: v("davit", "labels of the service"),
  mode: v("davit", "replicated, global; jobs are not yet"),
  placement: v("davit", "constraints (== and !=), preferences (spread), max_replicas_per_node"),
  replicas: v("davit", "1 unless given"),
  resources: v("davit", "limits (cpus, memory, pids), reservations (cpus, memory, generic_resources)"),
  restart_policy: v("davit", "condition, delay, max_attempts, window"),
  rollback_config: v("davit", "as update_config"),
  update_config: v("davit", "parallelism, delay, order, failure_action, monitor, max_failure_ratio"),
};

// What is looked for inside the containers of compose.yaml: which keys, by which look, and what is seen when they took effect.

export type Look = {
  readonly keys: string;
  readonly service: string;
  /** A script in the container, or (with inspect) a format of docker inspect. */
  readonly look: string;
  readonly inspect?: true;
  readonly sees: string | RegExp;
};

/** The same file of a control group in the old and in the unified hierarchy. */
function group(old: string, unified: string): string {
  return `cat /sys/fs/cgroup/${old} 2>/dev/null || cat /sys/fs/cgroup/${unified}`;
}

export const SHOWN: readonly Look[] = [
  { keys: "image command", service: "box", look: "cat /proc/*/cmdline | tr 2>/dev/null; ps", sees: /sleep 100000/ },
  { keys: "hostname", service: "box", look: "hostname", sees: "box" },
  { keys: "domainname", service: "box", look: "cat /proc/sys/kernel/domainname", sees: "lab.test" },
  { keys: "environment", service: "box", look: "echo $COLOUR", sees: "blue" },
  { keys: "working_dir", service: "box", look: "pwd", sees: "/tmp" },
  { keys: "labels", service: "box", look: '{{index .Config.Labels "tier"}}', inspect: true, sees: "front" },
  { keys: "extra_hosts", service: "box", look: "grep db /etc/hosts", sees: /^10\.9\.9\.9\s+db$/ },
  // the engine's own resolver stands in resolv.conf, and asks these
  { keys: "dns", service: "box", look: "{{json .HostConfig.Dns}}", inspect: true, sees: '["10.9.9.53"]' },
  { keys: "dns_search", service: "box", look: "grep search /etc/resolv.conf", sees: "search lab.test" },
  { keys: "dns_opt", service: "box", look: "grep options /etc/resolv.conf", sees: /^options .*\bndots:3$/ },
  // bit 12 is NET_ADMIN, bit 13 NET_RAW
  { keys: "cap_add cap_drop", service: "box", look: "grep CapBnd /proc/1/status", sees: /[13579bdf]...$/ },
  { keys: "security_opt", service: "box", look: "grep NoNewPrivs /proc/1/status", sees: /1$/ },
  { keys: "sysctls", service: "box", look: "cat /proc/sys/net/core/somaxconn", sees: "777" },
  {
    keys: "ulimits ulimits.*.soft ulimits.*.hard",
    service: "box",
    look: "grep open /proc/1/limits",
    sees: /\b1234\s+4321\b/,
  },
  { keys: "shm_size", service: "box", look: "grep /dev/shm /proc/mounts", sees: /size=16384k/ },
  { keys: "read_only", service: "box", look: "touch /x 2>&1 || true", sees: /Read-only file system/ },
  {
    keys: "tmpfs",
    service: "box",
    look: "grep /scratch /proc/mounts; stat -c %a /scratch",
    sees: /size=1024k.*\n1770/,
  },
  { keys: "init", service: "box", look: "cat /proc/1/cmdline", sees: /docker-init/ },
  { keys: "stop_signal", service: "box", look: "{{.Config.StopSignal}}", inspect: true, sees: "SIGUSR1" },
  { keys: "pids_limit", service: "box", look: group("pids/pids.max", "pids.max"), sees: "55" },
  { keys: "oom_score_adj", service: "box", look: "cat /proc/1/oom_score_adj", sees: "321" },
  {
    keys: "logging logging.driver logging.options",
    service: "box",
    look: '{{.HostConfig.LogConfig.Type}} {{index .HostConfig.LogConfig.Config "max-size"}}',
    inspect: true,
    sees: "local 1m",
  },
  { keys: "runtime", service: "box", look: "{{.HostConfig.Runtime}}", inspect: true, sees: "runc" },
  { keys: "volumes.bind.propagation", service: "box", look: "grep /slave /proc/self/mountinfo", sees: /master:/ },
  { keys: "volumes.volume.nocopy", service: "box", look: "ls /bin2 | cat", sees: "" },
  {
    keys: "volumes.tmpfs.size volumes.tmpfs.mode",
    service: "box",
    look: 'grep " /work " /proc/mounts; stat -c %a /work',
    sees: /size=2048k.*\n711/,
  },
  {
    keys: "mem_limit",
    service: "limits",
    look: group("memory/memory.limit_in_bytes", "memory.max"),
    sees: String(64 * 1024 * 1024),
  },
  {
    keys: "memswap_limit",
    service: "limits",
    look: "cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.swap.max",
    // together in the old hierarchy, swap alone in the unified one
    sees: /^(134217728|67108864)$/,
  },
  { keys: "cpu_shares", service: "limits", look: group("cpu/cpu.shares", "cpu.weight"), sees: /^(333|13)$/ },
  {
    keys: "cpu_period cpu_quota",
    service: "limits",
    look: `${group("cpu/cpu.cfs_quota_us", "cpu.max")}; cat /sys/fs/cgroup/cpu/cpu.cfs_period_us 2>/dev/null || true`,
    sees: /^20000\s50000$/,
  },
  { keys: "cpuset", service: "limits", look: "grep Cpus_allowed_list /proc/1/status", sees: /\s0$/ },
  {
    keys: "devices devices.source devices.target devices.permissions",
    service: "limits",
    look: "dd if=/dev/nought bs=1 count=1 2>/dev/null | cat >/dev/null && echo read; echo x > /dev/nought",
    sees: /^read/,
  },
  { keys: "user", service: "person", look: "grep -E ^.id: /proc/1/status", sees: /Uid:\s1000\b[^]*Gid:\s1001\b/ },
  { keys: "group_add", service: "person", look: "grep Groups /proc/1/status", sees: /\b1234\b/ },
  { keys: "entrypoint", service: "person", look: "ps", sees: /sleep 90000/ },
  {
    keys: "cpus",
    service: "person",
    look: `${group("cpu/cpu.cfs_quota_us", "cpu.max")}; cat /sys/fs/cgroup/cpu/cpu.cfs_period_us 2>/dev/null || true`,
    sees: /^25000\s100000$/,
  },
  { keys: "cgroup_parent", service: "person", look: "cat /proc/1/cgroup", sees: /\/davit-lab\// },
  { keys: "cgroup", service: "terminal", look: "cat /proc/1/cgroup", sees: /^\d+:(memory)?:\/$/m },
  { keys: "tty", service: "terminal", look: "ls -l /proc/1/fd/0", sees: /\/dev\/pts\/0$/ },
  { keys: "stdin_open", service: "open", look: "ls -l /proc/1/fd/0", sees: /pipe:/ },
  { keys: "pid", service: "host", look: "cat /proc/1/comm", sees: /systemd|init/ },
  { keys: "userns_mode", service: "host", look: "{{.HostConfig.UsernsMode}}", inspect: true, sees: "host" },
];

/** Why a key's effect is not shown here. docs/compose.md says the same. */
export const UNSHOWN: Readonly<Record<string, string>> = {
  annotations: "the lab's engine is Docker 20.10: annotations came with 24",
  "volumes.volume.subpath": "the lab's engine is Docker 20.10: subpath came with 26",
  cpu_rt_period: "the kernel here schedules no groups in real time",
  cpu_rt_runtime: "the kernel here schedules no groups in real time",
  gpus: "the machines here have no GPU",
  "gpus.capabilities": "the machines here have no GPU",
  "gpus.count": "the machines here have no GPU",
  "gpus.device_ids": "the machines here have no GPU",
  "gpus.driver": "the machines here have no GPU",
  "gpus.options": "the machines here have no GPU",
  privileged: "the lab's hosts have not all capabilities that a privileged container is given",
  storage_opt: "overlay2 on ext4 has no sizes",
};

/** Shown by tests of their own. */
export const SHOWN_APART = [
  "blkio_config blkio_config.weight blkio_config.weight_device blkio_config.weight_device.path blkio_config.weight_device.weight",
  ...["read_bps", "read_iops", "write_bps", "write_iops"].map(
    (rate) => `blkio_config.device_${rate} blkio_config.device_${rate}.path blkio_config.device_${rate}.rate`,
  ),
  "device_cgroup_rules mem_swappiness oom_kill_disable ipc uts",
].flatMap((keys) => keys.split(" "));

// Every key that is handed to the engine, looked for inside the containers of real hosts; configs and hooks on their way there; and what an
// engine cannot do, refused in words. What this machine or this engine cannot show is skipped by name, and named in docs/compose.md.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KEYS } from "../../src/compose/keys/table.ts";
import type { TaskView } from "../../src/core/model/views.ts";
import { type Cluster, startCluster, waitUntil } from "./cluster.ts";
import { SHOWN, SHOWN_APART, UNSHOWN } from "./runtime/looks.ts";
import { testLab } from "./lab.ts";
import type { CommandResult } from "./run-command.ts";
import { fetchPage, LabStack } from "./stack.ts";

const lab = testLab();
const FIXTURE = join(import.meta.dirname, "runtime");
let cluster: Cluster;
let folder: string;
let hasUnifiedCgroups: boolean;

beforeAll(async () => {
  cluster = await startCluster({ lab, nodes: 3 });
  folder = mkdtempSync(join(lab.directory, "compose-"));
  cpSync(FIXTURE, folder, { recursive: true });
  // a block device without a disk behind it: limits can be set on it all the same
  for (const node of cluster.nodes) await lab.on(node, "mknod /dev/davit0 b 254 0; mkdir -p /srv/davit-slave");
  hasUnifiedCgroups = (await lab.on("n1", "stat -fc %T /sys/fs/cgroup")).trim() === "cgroup2fs";
  const result = await deploy("--timeout", "60s");
  if (result.exitCode !== 0) throw new Error(`deploy: exit code ${result.exitCode}: ${result.stderr}${result.stdout}`);
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await cluster.down();
});

function deploy(...more: readonly string[]): Promise<CommandResult> {
  const env = { IMAGE: `${lab.registry}/web:v1` };
  return cluster.coordinator.cli(["deploy", "--name", "keys", ...more], { cwd: folder, env });
}

async function taskOf(service: string): Promise<TaskView> {
  const [task] = await new LabStack(cluster, "keys").tasks(service);
  if (task === undefined) throw new Error(`${service} has no task`);
  return task;
}

/** Output of a script in the service's container. */
async function inside(service: string, script: string): Promise<string> {
  const { node, containerId } = await taskOf(service);
  return (await lab.on(node ?? "", `docker exec -u 0 ${containerId} /bin/sh -c '${script}'`)).trim();
}

async function inspect(service: string, format: string): Promise<string> {
  const { node, containerId } = await taskOf(service);
  return (await lab.on(node ?? "", `docker inspect -f '${format}' ${containerId}`)).trim();
}

const UNSHOWN_IN_DOCS = sectionOf(readFileSync(join(import.meta.dirname, "..", "..", "docs", "compose.md"), "utf8"));

function sectionOf(docs: string): string {
  return /^## Not shown on real hosts$(.*?)^## /ms.exec(docs)?.[1] ?? "";
}

test("every key with the verdict engine is looked for here, or named as not shown", () => {
  const known = new Set([...SHOWN.flatMap(({ keys }) => keys.split(" ")), ...SHOWN_APART, ...Object.keys(UNSHOWN)]);
  const engineKeys = Object.entries(KEYS)
    .filter(
      ([path, { verdict }]) => verdict === "engine" && path.startsWith("services.*.") && !path.includes(".deploy."),
    )
    .map(([path]) => path.slice("services.*.".length));
  expect(engineKeys.filter((key) => !known.has(key))).toEqual([]);
  expect([...known].filter((key) => KEYS[`services.*.${key}`] === undefined)).toEqual([]);
});

describe("inside the container", () => {
  test.each(SHOWN)("$keys took effect", async ({ service, look, inspect: isInspected, sees }) => {
    const seen = await (isInspected === true ? inspect(service, look) : inside(service, look));
    if (typeof sees === "string") expect(seen).toBe(sees);
    else expect(seen).toMatch(sees);
  });

  test("cap_drop took away what was dropped", async () => {
    const mask = Number.parseInt((await inside("box", "grep CapBnd /proc/1/status")).slice(-4), 16);
    expect([(mask >> 12) & 1, (mask >> 13) & 1]).toEqual([1, 0]);
  });

  test("host and none are the node's own network, names and queues, or nothing but loopback", async () => {
    const { node = "" } = await taskOf("host");
    expect(await inside("host", "hostname")).toBe((await lab.on(node, "hostname")).trim());
    expect(await inside("host", "ip addr")).toContain(lab.ip(node));
    for (const kind of ["net", "ipc", "uts"])
      expect(await inside("host", `ls -l /proc/self/ns/${kind}`)).toContain(
        (await lab.on(node, `readlink /proc/self/ns/${kind}`)).trim(),
      );
    expect(await inside("alone", "ls /sys/class/net | cat")).toBe("lo");
  });

  test("block I/O limits stand on the device that they name", async () => {
    if (hasUnifiedCgroups) {
      const limits = await inside("limits", "cat /sys/fs/cgroup/io.max");
      return expect(limits).toMatch(/254:0 rbps=12582912 wbps=1048576 riops=120 wiops=30/);
    }
    const files = { read_bps: 12_582_912, read_iops: 120, write_bps: 1_048_576, write_iops: 30 };
    for (const [file, rate] of Object.entries(files))
      expect(await inside("limits", `cat /sys/fs/cgroup/blkio/blkio.throttle.${file}_device`)).toBe(`254:0 ${rate}`);
  });

  test("blkio_config.weight and weight_device reach the engine", async ({ skip }) => {
    expect(UNSHOWN_IN_DOCS).toContain("`blkio_config.weight`");
    if (hasUnifiedCgroups) skip("the unified hierarchy weighs block I/O where the kernel has a scheduler for it");
    const weights = await inspect("limits", "{{.HostConfig.BlkioWeight}} {{json .HostConfig.BlkioWeightDevice}}");
    if (weights.startsWith("0")) skip("this kernel has no weights of block I/O, so the engine drops them");
    expect(weights).toBe('300 [{"Path":"/dev/davit0","Weight":400}]');
  });

  test("device_cgroup_rules allow a device that is not there yet", async ({ skip }) => {
    if (hasUnifiedCgroups) skip("the unified hierarchy keeps device rules in the kernel alone");
    expect(await inside("limits", "cat /sys/fs/cgroup/devices/devices.list")).toContain("c 42:* rwm");
  });

  test("mem_swappiness and oom_kill_disable reach the control group", async ({ skip }) => {
    if (hasUnifiedCgroups) skip("the unified hierarchy has neither");
    const shop = new LabStack(cluster, "oom");
    await shop.mustDeploy({
      web: { image: shop.image("v1"), mem_limit: "64m", mem_swappiness: 10, oom_kill_disable: true },
    });
    const [task] = await shop.tasks("web");
    const files = "/sys/fs/cgroup/memory/memory.swappiness /sys/fs/cgroup/memory/memory.oom_control";
    const seen = await lab.on(task?.node ?? "", `docker exec ${task?.containerId} cat ${files}`);
    expect(seen).toMatch(/^10\noom_kill_disable 1\n/);
    await shop.remove();
  });

  for (const [key, why] of Object.entries(UNSHOWN)) {
    test(`${key} took effect`, ({ skip }) => {
      expect(UNSHOWN_IN_DOCS).toContain(`\`${key}\``);
      skip(why);
    });
  }
});

describe("what the engine of a node cannot do", () => {
  test.each([
    [
      "annotations",
      { annotations: { a: "b" } },
      /annotations needs Docker 24 \(API 1\.43\); the engine here speaks API 1\.41/,
    ],
    [
      "subpath",
      { volumes: [{ type: "volume", source: "data", target: "/d", volume: { subpath: "x" } }] },
      /subpath needs Docker 26 \(API 1\.45\)/,
    ],
    ["privileged", { privileged: true }, /unable to apply caps: operation not permitted/],
    ["gpus", { gpus: "all" }, /could not select device driver/],
    ["storage_opt", { storage_opt: { size: "1g" } }, /storage-opt is supported only for overlay over xfs/],
    ["a runtime that is not there", { runtime: "nope" }, /[Uu]nknown runtime specified nope/],
  ])("%s ends the attempt with the reason, and the command with an error", async (_, keys, words) => {
    const shop = new LabStack(cluster, "lacks");
    const result = await shop.deploy({ web: { image: shop.image("v1"), ...keys } }, ["--timeout", "8s"], ["data"]);
    expect(result.exitCode).not.toBe(0);
    expect(`${result.stderr}${(await shop.tasks("web"))[0]?.reason}`).toMatch(words);
    await shop.remove();
  });
});

describe("files that travel with the stack", () => {
  test("are in the container with the owner and mode that were asked for, and cannot be written", async () => {
    expect(await inside("box", "cat /site /srv/site.conf")).toBe("listen 8080;\nlisten 8080;");
    expect(await inside("box", "stat -c %a:%u:%g /site /run/note; cat /run/note")).toBe(
      "444:0:0\n440:103:104\nfor nobody",
    );
    expect(await inside("box", "echo x > /srv/site.conf || true; cat /srv/site.conf")).toBe("listen 8080;");
  });

  test("a directory that a bind names is made on the node", async () => {
    const { node = "" } = await taskOf("box");
    expect(await lab.on(node, "stat -c %F /srv/davit-made")).toContain("directory");
  });

  test("a changed config replaces the tasks that mount it and no other, on all nodes, and the old contents go", async () => {
    const shop = new LabStack(cluster, "conf");
    const text = (contents: string): string =>
      JSON.stringify({
        services: {
          web: {
            image: shop.image("v1"),
            configs: ["page"],
            deploy: { mode: "global", update_config: { parallelism: 0 } },
          },
          other: { image: shop.image("v1") },
        },
        configs: { page: { content: contents } },
      });
    const put = (contents: string, ...more: readonly string[]): Promise<string> =>
      cluster.coordinator.must(["deploy", "-f", "-", "--name", "conf", ...more], { stdin: text(contents) });
    await put("one");
    const before = await shop.containers("other");
    const held = await Promise.all(cluster.nodes.map((node) => lab.on(node, "ls /var/lib/davit/configs")));
    expect(await put("two", "--dry-run")).toContain("config page changed");
    await put("two");
    expect(await shop.containers("other")).toEqual(before);
    for (const task of await shop.tasks("web"))
      expect(await lab.on(task.node ?? "", `docker exec ${task.containerId} cat /page`)).toBe("two");
    await shop.remove();
    await waitUntil("the nodes keep no contents of it", 20_000, async () => {
      const now = await Promise.all(cluster.nodes.map((node) => lab.on(node, "ls /var/lib/davit/configs")));
      return now.every((names, at) => names.split("\n").length < (held[at] ?? "").split("\n").length);
    });
  });

  test("are there for an attempt that begins while no coordinator is there, after the host's reboot", async () => {
    const { node = "", containerId } = await taskOf("box");
    await cluster.coordinator.stop();
    await lab.reboot(node);
    const filter = "davit.service=keys_box";
    await waitUntil("it runs again", 60_000, async () => {
      const found = await lab.containers(node, filter).catch(() => []);
      return found.length === 1 && found[0]?.Id !== containerId;
    });
    const [container] = await lab.containers(node, filter);
    expect(await lab.on(node, `docker exec ${container?.Id} cat /site`)).toBe("listen 8080;");
    await cluster.coordinator.start();
    await waitUntil(
      "the coordinator hears of it",
      20_000,
      async () => (await taskOf("box")).containerId === container?.Id,
    );
  });
});

describe("hooks", () => {
  test("post_start ran as it was asked to, and pre_stop ran before the stop", async () => {
    expect(await inside("box", "cat /scratch/hook")).toBe("hook 0 /etc");
    const { node = "" } = await taskOf("box");
    await cluster.coordinator.must(["service", "scale", "keys_box=0"]);
    expect(await lab.on(node, "cat /var/lib/docker/volumes/keys_data/_data/log")).toMatch(/stopped/);
  });

  test("a post_start that fails ends the attempt with what it said", async () => {
    const shop = new LabStack(cluster, "hook");
    const web = { image: shop.image("v1"), post_start: [{ command: ["/bin/sh", "-c", "echo no seed; exit 9"] }] };
    const result = await shop.deploy({ web }, ["--timeout", "8s"]);
    expect(result.exitCode).not.toBe(0);
    const [task] = await shop.tasks("web");
    expect(`${task?.reason}`).toMatch(/post_start hook \/bin\/sh -c .*exit code 9: no seed/);
    await shop.remove();
  });
});

test("deploy --build has the user's own docker build and push the image, and the nodes run what it built", async () => {
  const shop = new LabStack(cluster, "built");
  const image = `${lab.registry}/built:v1`;
  const context = mkdtempSync(join(lab.directory, "build-"));
  writeFileSync(join(context, "Dockerfile"), `FROM ${shop.image("v1")}\nARG COLOUR\nENV WEB_VERSION=$COLOUR\n`);
  const build = { context: ".", args: { COLOUR: "green" } };
  const web = { image, build, ports: ["8300:8080"], "x-davit": { health: { http: { port: 8080, path: "/" } } } };
  writeFileSync(join(context, "compose.yaml"), JSON.stringify({ services: { web } }));
  // the user's engine is that of a host here, which has the files at the same path
  writeFileSync(join(context, "docker"), `#!/bin/sh\nexec ssh -F ${lab.directory}/ssh/config n1 docker "$@"\n`, {
    mode: 0o755,
  });
  await lab.on(
    "n1",
    `mkdir -p ${context} && cat > ${context}/Dockerfile <<'EOF'\n${readFileSync(join(context, "Dockerfile"), "utf8")}EOF`,
  );
  const env = { PATH: `${context}:${process.env["PATH"]}` };
  await cluster.coordinator.must(["deploy", "--build", "--name", "built"], { cwd: context, env });
  const [task] = await shop.tasks("web");
  expect(await fetchPage(cluster, task?.node ?? "", 8300)).toContain("version=green");
  await shop.remove();
  rmSync(context, { recursive: true, force: true });
});

test("a Compose file whose config is not there, or is too large, names it with its line", async () => {
  writeFileSync(
    join(folder, "wrong.yaml"),
    "services: {web: {image: x, configs: [a, b]}}\nconfigs:\n  a: {file: ./nope}\n  b: {file: ./big}\n",
  );
  writeFileSync(join(folder, "big"), "x".repeat(600 * 1024));
  const result = await deploy("-f", "wrong.yaml");
  expect(result.exitCode).toBe(2);
  expect(result.stderr).toMatch(/wrong\.yaml:3:\d+ configs\.a\.file/);
  expect(result.stderr).toMatch(/wrong\.yaml:1:\d+ services\.web\.configs\[1\]: 'b' is larger than 500 KiB/);
});

// How the preflight judges a host, from the facts that were gathered.

import { describe, expect, test } from "vitest";
import { DAEMON_CONFIG, installArgv, planEngine, refreshArgv } from "../../src/ssh/bootstrap/engine-plan.ts";
import { installScript } from "../../src/ssh/bootstrap/engine.ts";
import { parseFacts } from "../../src/ssh/bootstrap/facts.ts";
import { judgePreflight } from "../../src/ssh/bootstrap/judge-preflight.ts";
import { overlaps } from "../../src/ssh/bootstrap/subnets.ts";
import { CLUSTER, context, factsOf, NOW_MS } from "./host-facts.ts";

function os(id: string, version: string, name: string): string {
  return `ID=${id}\nVERSION_ID="${version}"\nPRETTY_NAME="${name}"`;
}

const dnfHost = { packager: "/usr/bin/dnf", candidates: "docker-cli\nmoby-engine" };

describe("reading a host's answer", () => {
  test("ports are listed without those of loopback", () => {
    expect(factsOf().listening).toEqual(["tcp/22", "udp/68"]);
  });

  test("an answer that was cut short is refused", () => {
    expect(() => parseFacts("=== time\n1\n=== os\nID=debian\n")).toThrow("cut short");
  });
});

describe("judging a host", () => {
  test("nothing is in the way of a sound Debian 12", () => {
    expect(judgePreflight(factsOf(), context)).toEqual([]);
  });

  test.each([
    [os("debian", "13", "Debian GNU/Linux 13 (trixie)"), {}],
    [os("ubuntu", "22.04", "Ubuntu 22.04.4 LTS"), {}],
    [os("ubuntu", "24.04", "Ubuntu 24.04 LTS"), {}],
    [os("fedora", "41", "Fedora Linux 41"), dnfHost],
    [os("rocky", "9.3", "Rocky Linux 9.3"), { ...dnfHost, candidates: "docker-ce" }],
    [os("almalinux", "9.4", "AlmaLinux 9.4"), { ...dnfHost, candidates: "docker-ce" }],
  ])("%s is supported", (text, more) => {
    expect(judgePreflight(factsOf({ os: text, ...more }), context)).toEqual([]);
  });

  test.each([
    [os("alpine", "3.20", "Alpine Linux v3.20"), "Alpine Linux v3.20 is not supported"],
    [os("arch", "", "Arch Linux"), "Arch Linux is not supported"],
    [os("debian", "11", "Debian GNU/Linux 11 (bullseye)"), "Debian GNU/Linux 11 (bullseye) is too old"],
    [os("ubuntu", "20.04", "Ubuntu 20.04.6 LTS"), "Ubuntu 20.04.6 LTS is too old"],
  ])("%s is refused by name", (text, message) => {
    expect(judgePreflight(factsOf({ os: text }), context).map((finding) => finding.message)).toContain(message);
  });

  test("all faults come at once, each with its way out", () => {
    const findings = judgePreflight(
      factsOf({
        machine: "armv7l",
        init: "sh",
        features: "overlay no\nbridge yes\nveth no\nnf_tables no\nip_tables no\nwireguard yes",
        cgroups: "cpuset cpu pids",
        disk: "/var/lib 1000\n/usr 1000\n/etc 20000000\n/run 400000",
        memory: "MemTotal: 100000",
        time: String(NOW_MS + 3_600_000),
        addresses: "lo 127.0.0.1/8\neth0 10.210.3.4/24",
        sshd: "allowusers admin ops\nauthorizedkeysfile none\npubkeyauthentication no\nallowgroups wheel",
      }),
      context,
    );
    expect(findings.map((finding) => finding.where)).toEqual([
      "architecture",
      "systemd",
      "kernel",
      "kernel",
      "kernel",
      "cgroups",
      "disk",
      "disk",
      "memory",
      "clock",
      "addresses",
      "sshd",
      "sshd",
      "sshd",
      "sshd",
    ]);
    for (const finding of findings) {
      expect(finding.stops).toBe(true);
      expect(finding.wayOut).not.toBe("");
    }
  });

  test("a clock that is an hour ahead is told in words, and one within the error of asking is not", () => {
    expect(judgePreflight(factsOf({ time: String(NOW_MS + 3_600_000) }), context)[0]?.message).toBe(
      "its clock is 3600 s ahead of the coordinator's",
    );
    expect(judgePreflight(factsOf({ time: String(NOW_MS - 9_000) }), { ...context, wallErrorMs: 8_000 })).toEqual([]);
    expect(judgePreflight(factsOf({ time: String(NOW_MS - 9_000) }), context)).toMatchObject([
      { stops: false, where: "clock" },
    ]);
  });

  test("davit's own bridge does not collide with its own pool", () => {
    expect(
      judgePreflight(factsOf({ addresses: "davit0 10.210.1.1/24", routes: "davit0 10.210.1.0/24" }), context),
    ).toEqual([]);
  });

  test("a host of another cluster, and one that is a node already, are refused; half a join is not", () => {
    const node = (clusterId: string, nodeId: string): string => JSON.stringify({ clusterId, nodeId, nodeName: "old" });
    expect(judgePreflight(factsOf({ node: node("d".repeat(25), "x") }), context)[0]?.message).toContain(
      "of another davit cluster",
    );
    expect(judgePreflight(factsOf({ node: node(CLUSTER, "n".repeat(25)) }), context)[0]?.message).toBe(
      "the host is already node web-1 of this cluster",
    );
    expect(judgePreflight(factsOf({ node: node(CLUSTER, "x".repeat(25)) }), context)).toEqual([]);
    expect(judgePreflight(factsOf({ node: '{"clusterId":"d' }), context)).toEqual([]);
  });

  test("an old Docker is refused, and one of another age is used", () => {
    const old = judgePreflight(factsOf({ docker: "/usr/bin/dockerd\nserver 18.09.1 1.39\nactive" }), context);
    expect(old[0]?.message).toBe("Docker 18.09.1 is too old: its API is 1.39, and 1.41 is needed");
    expect(judgePreflight(factsOf({ docker: "/usr/bin/dockerd\nserver 27.1.1 1.46\nactive" }), context)).toEqual([]);
  });

  test("an interrupted dpkg and a held lock are told and stop nothing", () => {
    const findings = judgePreflight(
      factsOf({ "dpkg-audit": "half configured: tini", "dpkg-lock": "812 apt-get upgrade" }),
      context,
    );
    expect(findings.map((finding) => [finding.stops, finding.message])).toEqual([
      [false, "an installation of packages was interrupted here"],
      [false, "another process is installing packages: 812 apt-get upgrade"],
    ]);
  });

  test("sshd that forbids forwarding is told with what it costs", () => {
    const findings = judgePreflight(factsOf({ sshd: "disableforwarding yes" }), context);
    expect(findings.map((finding) => finding.stops)).toEqual([false, false]);
    expect(findings[0]?.message).toContain("at most 8 at once");
  });

  test("sshd that lets davit in by name or group is fine", () => {
    expect(judgePreflight(factsOf({ sshd: "allowusers root davit\nallowgroups root davit" }), context)).toEqual([]);
  });
});

describe("planning the engine", () => {
  test("a Docker that answers is used as it is, and one that is off is started", () => {
    expect(planEngine(factsOf({ docker: "/usr/sbin/dockerd\nserver 20.10.24 1.41\nactive" }))).toEqual({
      kind: "present",
      version: "20.10.24",
    });
    expect(planEngine(factsOf({ docker: "/usr/sbin/dockerd\nprogram 20.10.24\ninactive" }))).toEqual({ kind: "start" });
  });

  test("Debian 12 installs without recommended packages, but with what containers need of them", () => {
    const plan = planEngine(factsOf({ apparmor: "Y" }));
    if (plan.kind !== "install") throw new Error(plan.kind);
    expect(installArgv(plan).join(" ")).toBe(
      "apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold -o Acquire::Retries=3 install docker.io iptables ca-certificates apparmor",
    );
    expect(plan.refresh).toBe(false);
  });

  test("Debian 13 installs the client too, which docker.io no longer brings", () => {
    const plan = planEngine(factsOf({ os: os("debian", "13", "Debian GNU/Linux 13") }));
    expect(plan).toMatchObject({
      kind: "install",
      packages: ["docker.io", "docker-cli", "iptables", "ca-certificates"],
    });
  });

  test("package lists are fetched first where there are none", () => {
    const plan = planEngine(factsOf({ candidates: "" }));
    if (plan.kind !== "install") throw new Error(plan.kind);
    expect(plan.refresh).toBe(true);
    expect(refreshArgv(plan)?.join(" ")).toBe("apt-get -q -o Acquire::Retries=3 update");
  });

  test("Fedora installs Moby with dnf", () => {
    const plan = planEngine(factsOf({ os: os("fedora", "41", "Fedora Linux 41"), ...dnfHost }));
    if (plan.kind !== "install") throw new Error(plan.kind);
    expect(installArgv(plan).join(" ")).toBe("dnf -y --setopt=install_weak_deps=False install moby-engine docker-cli");
    expect(refreshArgv(plan)).toBeUndefined();
    expect(installScript(plan)).not.toContain("dpkg");
  });

  test("Rocky without Docker's repository is told to add it", () => {
    const facts = factsOf({ os: os("rocky", "9.3", "Rocky Linux 9.3"), packager: "/usr/bin/dnf", candidates: "" });
    expect(judgePreflight(facts, context)).toMatchObject([
      { where: "engine", message: "no repository of Rocky Linux 9.3 offers Docker" },
    ]);
  });

  test("the installation repairs dpkg, waits for its lock, and sets up the daemon before it starts", () => {
    const plan = planEngine(factsOf());
    if (plan.kind !== "install") throw new Error(plan.kind);
    const script = installScript(plan);
    const order = [
      "daemon.json",
      "lock-frontend",
      "dpkg --configure -a",
      "install docker.io",
      "systemctl enable --now docker",
    ].map((text) => script.indexOf(text));
    expect(order).toEqual(order.toSorted((left, right) => left - right));
    expect(order).not.toContain(-1);
    expect(JSON.parse(DAEMON_CONFIG)).toMatchObject({ "live-restore": true });
  });
});

test("networks overlap when one holds the other", () => {
  expect(overlaps("10.210.0.0/16", "10.210.7.0/24")).toBe(true);
  expect(overlaps("10.0.0.0/8", "10.210.0.0/16")).toBe(true);
  expect(overlaps("10.210.0.0/16", "10.211.0.0/16")).toBe(false);
  expect(overlaps("10.210.0.0/16", "10.210.4.4")).toBe(true);
  expect(overlaps("10.210.0.0/16", "unreachable")).toBe(false);
});

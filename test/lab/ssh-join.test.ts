// Joins of real bare hosts, with what goes wrong on the way.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DavitError } from "../../src/core/model/errors.ts";
import { removeHost } from "../../src/ssh/bootstrap/remove-host.ts";
import { hostKeyLine } from "../../src/ssh/host-keys.ts";
import { NodeLinks, type NodeTarget } from "../../src/ssh/node-links.ts";
import { asId } from "../../src/core/model/ids.ts";
import { makeKey, startRelay } from "../ssh/fake-host.ts";
import { updateAgent } from "../../src/ssh/bootstrap/update-agent.ts";
import { agentBinary, clusterKey, gates, join, lab, newHost, outcomesOf, userAccess, userKey } from "./ssh-lab.ts";

const links = new NodeLinks({ privateKey: clusterKey, gates });

afterAll(() => links.close());

async function failureOf(work: Promise<unknown>): Promise<DavitError> {
  const result = await work.then(
    () => new Error("it did not fail"),
    (error: unknown) => error,
  );
  if (!(result instanceof DavitError)) throw result;
  return result;
}

function nodeAt(address: string, hostKey: string): NodeTarget {
  return { id: asId(address), name: address, address: { host: address, port: 22 }, hostKey, jump: [] };
}

describe("a bare host", () => {
  let address = "";
  beforeAll(async () => {
    address = await newHost("join");
  });
  afterAll(() => lab.destroy("join"));

  test("every step of a join may be cut and the join run again", async () => {
    for (const cutIn of ["preflight", "Unpacking containerd", "access", "agent", "files", "start", "answer"]) {
      const relay = await startRelay(22, address);
      const cut = join({ host: "127.0.0.1", port: relay.port }, ({ step, message, state }) => {
        if (state === "started" && (step === cutIn || message.startsWith(cutIn))) setTimeout(() => relay.close(), 20);
      });
      const failure = await failureOf(cut);
      expect(["ssh_failed", "bootstrap_failed"], `${cutIn}: ${failure.message}`).toContain(failure.code);
    }
    const outcome = await join({ host: address });
    expect(outcome.nodeName).toBe("join");
    expect(JSON.parse(outcome.agentKey)).toMatchObject({ kty: "OKP", crv: "Ed25519" });
    expect(
      await lab.on(
        "join",
        "systemctl is-active docker davit-agent; dpkg --audit; docker info --format '{{.LiveRestoreEnabled}}'",
      ),
    ).toBe("active\nactive\ntrue");
  });

  test("a second join skips every step", async () => {
    const outcomes = await outcomesOf({ host: address });
    expect(outcomes).toEqual({
      connect: "done",
      preflight: "done",
      engine: "skipped",
      access: "skipped",
      agent: "skipped",
      files: "skipped",
      firewall: "skipped",
      start: "skipped",
      answer: "done",
    });
  });

  test("the cluster's key opens streams to the agent and no shell", async () => {
    const { hostKey } = await join({ host: address });
    const shell = await links.shell(nodeAt(address, hostKey));
    const result = await shell.exec(["id"]);
    expect(result).toMatchObject({ exitCode: 126, stdout: "" });
    expect(await links.isReachableVia(nodeAt(address, hostKey), nodeAt(address, hostKey))).toBe(true);
  });

  test("an agent that differs is replaced and restarted, and one that is current is left alone", async () => {
    await join({ host: address });
    await lab.on(
      "join",
      "echo x >> /usr/local/lib/davit/davit.old; cp /usr/local/lib/davit/davit.old /usr/local/lib/davit/davit.new; mv /usr/local/lib/davit/davit.new /usr/local/lib/davit/davit",
    );
    const input = {
      access: userAccess(address),
      binaryFor: () => Promise.resolve(agentBinary()),
      gates,
      nowMs: () => performance.now(),
      report: () => undefined,
    };
    expect(await updateAgent(input)).toBe(true);
    expect(await updateAgent(input)).toBe(false);
    expect(await lab.on("join", "systemctl is-active davit-agent")).toBe("active");
  });

  test("where sshd forbids forwarding the agent is still reached", async () => {
    const { hostKey } = await join({ host: address });
    await lab.on(
      "join",
      "printf 'AllowStreamLocalForwarding no\\nAllowTcpForwarding no\\n' > /etc/ssh/sshd_config.d/no.conf; systemctl reload ssh; sleep 1",
    );
    const notes: string[] = [];
    await join({ host: address }, ({ message }) => notes.push(message));
    expect(notes.filter((note) => note.includes("sshd forbids"))).toHaveLength(2);
    const own = new NodeLinks({ privateKey: clusterKey, gates });
    const stream = await own.control(nodeAt(address, hostKey));
    const frame = await new Promise((resolve) => stream.onFrame(resolve));
    expect(frame).toMatchObject({ type: "challenge" });
    expect(await own.isReachableVia(nodeAt(address, hostKey), nodeAt(address, hostKey))).toBe(false);
    own.close();
    await lab.on("join", "rm /etc/ssh/sshd_config.d/no.conf; systemctl reload ssh; sleep 1");
  });

  test("removal takes away what the join put there, and leaves Docker", async () => {
    const { hostKey } = await join({ host: address });
    const own = new NodeLinks({ privateKey: clusterKey, gates });
    const shell = await own.shell(nodeAt(address, hostKey));
    await removeHost({ shell, mode: "keep-volumes", nowMs: () => performance.now(), report: () => undefined });
    own.close();
    const left = await lab.on(
      "join",
      "ls -d /etc/davit /var/lib/davit* /usr/local/lib/davit /run/davit /etc/systemd/system/davit* 2>/dev/null; getent passwd davit; systemctl is-active docker",
    );
    expect(left).toBe("active");
    await join({ host: address });
  });
});

describe("who is let in", () => {
  let address = "";
  let hostKey = "";
  beforeAll(async () => {
    address = await newHost("login");
    hostKey = await lab.on("login", "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub");
  });
  afterAll(() => lab.destroy("login"));

  test("a wrong key is refused in words", async () => {
    const failure = await failureOf(join({ host: address, identities: [makeKey().privateKey] }));
    expect(failure.message).toContain("the server took none of the 1 keys offered");
  });

  test("too many keys are explained with IdentitiesOnly", async () => {
    const identities = [...Array.from({ length: 9 }, () => makeKey().privateKey), userKey()];
    const failure = await failureOf(join({ host: address, identities }));
    expect(failure.message).toContain("MaxAuthTries");
    expect(failure.wayOut).toContain("IdentitiesOnly");
  });

  test("an unknown host key is shown and refused unless accepted", async () => {
    const failure = await failureOf(join({ host: address, acceptNewHostKey: false }));
    expect(failure.message).toMatch(/its host key is not known: .* SHA256:/);
  });

  test("a changed host key is refused with both fingerprints", async () => {
    const other = makeKey().publicKey;
    const failure = await failureOf(join({ host: address, knownHosts: [`${address} ${other}`] }));
    expect(failure.message).toMatch(/host key changed: expected SHA256:\S+, got SHA256:/);
    const pinned = await failureOf(
      links.control(nodeAt(address, hostKeyLine(Buffer.from(other.split(" ")[1] ?? "", "base64")))),
    );
    expect(pinned.message).toContain("host key changed");
  });

  test("a host that is down is told within the timeout", async () => {
    const failure = await failureOf(links.control(nodeAt(address.replace(/\d+$/, "199"), hostKey)));
    expect(failure.message).toContain("the host cannot be reached");
  }, 30_000);

  test("sudo with a password joins, and says what is missing without it", async () => {
    await lab.on(
      "login",
      "useradd -m -s /bin/bash admin; echo admin:geheim | chpasswd; mkdir -p /home/admin/.ssh; cp /root/.ssh/authorized_keys /home/admin/.ssh/; chown -R admin /home/admin/.ssh; echo 'admin ALL=(ALL) ALL' > /etc/sudoers.d/admin",
    );
    const without = await failureOf(join({ host: address, user: "admin" }));
    expect(without.code).toBe("preflight_failed");
    expect(without.message).toContain("sudo asks admin for a password");
    const wrong = await failureOf(join({ host: address, user: "admin", sudoPassword: "falsch" }));
    expect(wrong.message).toContain("sudo did not accept admin's password");
    await join({ host: address, user: "admin", sudoPassword: "geheim" });
    expect(
      await lab.on(
        "login",
        "systemctl is-active davit-agent; grep -c geheim /var/log/auth.log 2>/dev/null || journalctl | grep -c 'COMMAND.*geheim' || true",
      ),
    ).toBe("active\n0");
  });

  test("an sshd that lets in other users only is a fault of the preflight", async () => {
    await lab.on(
      "login",
      "echo 'AllowUsers root admin' > /etc/ssh/sshd_config.d/users.conf; systemctl reload ssh; sleep 1",
    );
    const failure = await failureOf(join({ host: address }));
    expect(failure.message).toContain("sshd lets in only root, admin (AllowUsers)");
    await lab.on("login", "rm /etc/ssh/sshd_config.d/users.conf; systemctl reload ssh; sleep 1");
  });
});

test("an interrupted dpkg is finished first", async () => {
  const address = await newHost("dpkg");
  await lab.on(
    "dpkg",
    "apt-get -q update >/dev/null; cd /tmp; apt-get -q download iptables libip6tc2 libnetfilter-conntrack3 libnfnetlink0 libnftnl11 >/dev/null; dpkg --unpack ./*.deb >/dev/null 2>&1; dpkg --audit | grep -q iptables",
  );
  const notes: string[] = [];
  await join({ host: address }, ({ message }) => notes.push(message));
  expect(notes.some((note) => note.startsWith("an installation of packages was interrupted"))).toBe(true);
  expect(await lab.on("dpkg", "dpkg --audit; systemctl is-active docker")).toBe("active");
  await lab.destroy("dpkg");
});

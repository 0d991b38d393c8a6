// The text of a container's resolv.conf: two resolvers, the user's own settings, and no search list that nobody asked for.

import { expect, test } from "vitest";
import { hasOwnResolvConf, nameserversIn, renderResolvConf } from "../../../workers/agent/network/dns/resolv-conf.ts";
import { workOf } from "../agent-world.ts";
import { meshOf } from "./network-fixtures.ts";

const task = workOf(1);
const withRuntime = (runtime: typeof task.container.runtime): typeof task => ({
  ...task,
  container: { ...task.container, runtime },
});

test("a task asks its own node first and the next one second, the last node the first", () => {
  expect(renderResolvConf(task, meshOf(3), "n2")).toBe(
    "# web, by davit: written again when it changes\nnameserver 10.210.2.1\nnameserver 10.210.3.1\noptions timeout:1 attempts:3\n",
  );
  expect(renderResolvConf(task, meshOf(3), "n3")).toContain("nameserver 10.210.3.1\nnameserver 10.210.1.1\n");
});

test("on a single node there is one resolver", () => {
  expect(renderResolvConf(task, meshOf(1), "n1")).toContain("nameserver 10.210.1.1\noptions");
});

test("servers of the user's own are asked by the own node alone; search lists and options stand as they were given", () => {
  const own = withRuntime({ dns: ["192.0.2.53"], dnsSearch: ["corp.example", "example"], dnsOptions: ["ndots:2"] });
  expect(renderResolvConf(own, meshOf(3), "n1")).toBe(
    "# web, by davit: written again when it changes\nnameserver 10.210.1.1\nsearch corp.example example\noptions timeout:1 attempts:3 ndots:2\n",
  );
});

test("tasks on the host's network, on none, or with a resolv.conf of their own keep what they have", () => {
  expect(hasOwnResolvConf(task)).toBe(true);
  expect(hasOwnResolvConf({ ...task, container: { ...task.container, networkMode: "host" } })).toBe(false);
  const mounts = [{ kind: "bind", source: "/srv/resolv", target: "/etc/resolv.conf", readOnly: true }] as const;
  expect(hasOwnResolvConf({ ...task, container: { ...task.container, mounts } })).toBe(false);
});

test("the host's servers are read in order, each once, without davit's own", () => {
  const text =
    "# nameserver 9.9.9.9\nsearch corp\nnameserver 127.0.0.53\nnameserver 10.210.1.1\n nameserver 2001:db8::1 # x\nnameserver 127.0.0.53\n";
  expect(nameserversIn(text, new Set(["10.210.1.1"]))).toEqual(["127.0.0.53", "2001:db8::1"]);
});

// What a node is told of a task whose spec has Swarm's placeholders.

import { describe, expect, test } from "vitest";
import { taskWork } from "../../src/core/work/work-of.ts";
import { asId } from "../../src/core/model/ids.ts";
import { template, WorldModel } from "../fakes/world-model.ts";
import { fillTemplate } from "../../src/core/work/templates.ts";

const VALUES = {
  serviceId: "s",
  serviceName: "shop_web",
  nodeId: "n",
  nodeName: "n1",
  os: "linux",
  arch: "x86_64",
  taskId: "t",
  taskName: "shop_web.2",
  slot: 2,
};

describe("placeholders", () => {
  test.each([
    ["{{.Node.Hostname}}-{{ .Task.Slot }}", "n1-2"],
    ["{{.Service.Name}} {{.Service.ID}} {{.Task.ID}} {{.Task.Name}} {{.Node.ID}}", "shop_web s t shop_web.2 n"],
    ["{{.Node.Platform.OS}}/{{.Node.Platform.Architecture}}", "linux/x86_64"],
    ["{{.Name}} {{ .Values.x }} {{range .Items}} {{}} {{.Node.Nothing}}", undefined],
    ["{{.constructor}}", undefined],
  ])("%s is filled in if Swarm knows it, and left alone otherwise", (text, filled) => {
    expect(fillTemplate(text, VALUES)).toBe(filled ?? text);
  });

  test("stand in the environment, the host name and the node's paths, and nowhere else", () => {
    const model = new WorldModel();
    model.node("n1");
    model.deploy("web", { kind: "replicated", replicas: 1 }, template({ image: "web:v1" }));
    model.rest();
    const [task] = model.state.task.values();
    const [version] = model.state.serviceVersion.values();
    if (task === undefined || version === undefined) return expect.fail("nothing was placed");
    const { template: from } = version.spec;
    const container = {
      ...from.container,
      env: { NODE: "{{.Node.Hostname}}" },
      hostname: "web-{{.Task.Slot}}",
      command: ["{{.Task.Slot}}"],
      mounts: [{ kind: "bind", source: "/srv/{{.Task.Slot}}", target: "/d", readOnly: false }] as const,
    };
    model.state.serviceVersion.set(version.id, {
      ...version,
      spec: { ...version.spec, template: { ...from, container } },
    });
    const work = taskWork(model.state, { ...task, nodeId: asId<"node">("n1") });
    expect(work.container).toMatchObject({
      env: { NODE: "n1" },
      hostname: "web-1",
      command: ["{{.Task.Slot}}"],
      mounts: [{ source: "/srv/1" }],
    });
  });
});

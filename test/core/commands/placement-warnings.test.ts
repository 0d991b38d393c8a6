// What is said, not refused, when a deploy asks for what no node has.

import { describe, expect, test } from "vitest";
import { placementWarnings } from "../../../src/core/commands/placement-warnings.ts";
import type { Constraint, PlacementSpec, ResourceAmounts } from "../../../src/core/model/service-spec.ts";
import { WorldModel } from "../../fakes/world-model.ts";
import { serviceOf } from "../../fakes/stacks.ts";
import { serve } from "../../api/serving.ts";
import { stackOf } from "../../fakes/stacks.ts";
import { placing } from "../schedule/placing.ts";

function world(): WorldModel {
  const model = new WorldModel();
  model.node("n1", { disk: "ssd", zone: "a" });
  model.node("n2", { disk: "hdd" });
  return model;
}

function said(placement: Partial<PlacementSpec>, reserved: Partial<ResourceAmounts> = {}): readonly string[] {
  return placementWarnings(world().state, [serviceOf("shop", "web", { template: placing(placement, reserved) })]);
}

function one(attribute: string, value: string, operator: Constraint["operator"] = "=="): Partial<PlacementSpec> {
  return { constraints: [{ attribute, operator, value }] };
}

describe("a deploy warns", () => {
  test.each([
    [
      "of a label that no node has, with the nearest",
      one("node.labels.dsk", "ssd"),
      "no node meets 'node.labels.dsk == ssd'; did you mean label disk?",
    ],
    [
      "of a value that no node has, with the nearest",
      one("node.labels.disk", "sdd"),
      "no node meets 'node.labels.disk == sdd'; did you mean ssd?",
    ],
    [
      "of a node that there is not",
      one("node.hostname", "n3"),
      "no node meets 'node.hostname == n3'; did you mean n1?",
    ],
    ["of a label without any near", one("node.labels.gpu", "", "exists"), "no node meets 'node.labels.gpu exists'"],
    [
      "of what to spread over",
      { spreadOver: ["node.labels.zon"] },
      "no node has label zon, so nothing is spread over it; did you mean label zone?",
    ],
    ["of a platform", { platforms: ["linux/arm64"] }, "no node can run linux/arm64"],
  ] as const)("%s in words that help", (_, placement, sentence) => {
    expect(said(placement)).toEqual([`shop_web: ${sentence}`]);
  });

  test("of a named resource, with the way to say that a node has it", () => {
    expect(said({}, { generic: { gpu: 2 } })).toEqual([
      "shop_web: no node has 2 gpu: davit node update NODE --generic gpu=2",
    ]);
  });

  test("of nothing that some node has, nor before there are nodes", () => {
    expect(said(one("node.labels.disk", "ssd"))).toEqual([]);
    expect(said(one("node.labels.disk", "hdd", "!="))).toEqual([]);
    const nowhere = serviceOf("shop", "web", { template: placing(one("node.labels.gpu", "1")) });
    expect(placementWarnings(new WorldModel().state, [nowhere])).toEqual([]);
  });

  test("in a dry run and in the deploy itself", async () => {
    const { backend, client } = await serve();
    backend.model.node("n1");
    const stack = stackOf("shop", [serviceOf("shop", "web", { template: placing(one("node.labels.gpu", "1")) })]);
    const sentence = "shop_web: no node meets 'node.labels.gpu == 1'";
    expect((await client.deploy(stack, { dryRun: true })).warnings).toEqual([sentence]);
    expect((await client.deploy(stack)).warnings).toEqual([sentence]);
  });
});

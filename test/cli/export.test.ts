// davit export --kubernetes as a user types it: what is printed where, what is written, what is refused.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Harness } from "./harness.ts";

const COMPOSE = `name: shop
services:
  web:
    image: nginx:1.27
    ports: ["8080:80"]
    healthcheck: { disable: true }
`;

function folderWith(compose = COMPOSE): string {
  const folder = mkdtempSync(join(tmpdir(), "davit-export-"));
  writeFileSync(join(folder, "compose.yaml"), compose);
  return folder;
}

async function run(cwd: string, ...words: string[]) {
  const cli = new Harness({ cwd });
  const code = await cli.run("export", ...words);
  return { code, stdout: cli.stdout, stderr: cli.stderr };
}

describe("what is printed", () => {
  test("manifests on standard output, nothing else there, and all is well without a note", async () => {
    const { code, stdout, stderr } = await run(folderWith(), "--kubernetes");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      /^# Made by davit export --kubernetes\.\n# Everything was carried over\.\n---\napiVersion: v1\nkind: Service\n/,
    );
    expect(stdout).toContain("kind: Deployment");
  });

  test("notes on standard error, and in the data with --json", async () => {
    const folder = folderWith(`${COMPOSE}    stop_signal: SIGINT\n`);
    const printed = await run(folder, "--kubernetes");
    expect(printed.stderr).toBe(
      "not carried over: web: stop_signal: SIGINT: the image's own is sent, SIGTERM if it has none; set STOPSIGNAL in the image\n",
    );
    const { stdout, stderr } = await run(folder, "--kubernetes", "--json");
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({ manifests: [{}, {}, {}], notes: [{ at: "web: stop_signal" }] });
  });

  test("the file may come from standard input", async () => {
    const cli = new Harness({ stdin: COMPOSE });
    expect(await cli.run("export", "--kubernetes", "-f", "-", "--image-pull-secret", "registry")).toBe(0);
    expect(cli.stdout).toContain("imagePullSecrets:\n        - name: registry\n");
  });

  test("what a service waits for is said, in either form", async () => {
    const db = "  db: { image: redis, healthcheck: { disable: true } }\n";
    for (const form of ["[db]", "{ db: { condition: service_healthy } }"]) {
      const { stdout } = await run(folderWith(`${COMPOSE}    depends_on: ${form}\n${db}`), "--kubernetes");
      expect(stdout).toMatch(/# - web: depends_on: db( \(healthy\))?: all pods start at once/);
    }
  });

  test("ports that are exposed only are ports of the Service", async () => {
    const { stdout } = await run(folderWith(`${COMPOSE}    expose: [3000, "4000-4001/udp"]\n`), "--kubernetes");
    for (const name of ["tcp-80", "tcp-3000", "udp-4000", "udp-4001"]) expect(stdout).toContain(`- name: ${name}\n`);
  });
});

describe("what is refused", () => {
  test("an export to no system in particular", async () => {
    const { code, stdout, stderr } = await run(folderWith());
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toBe("davit: export: to which system was not said\n  way out: write davit export --kubernetes\n");
  });

  test("anything that is not carried over, when --strict was said", async () => {
    const folder = folderWith(`${COMPOSE}    stop_signal: SIGINT\n`);
    const { code, stdout, stderr } = await run(folder, "--kubernetes", "--strict");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("davit: export shop: 1 thing is not carried over\n  - web: stop_signal: SIGINT:");
    expect((await run(folderWith(), "--kubernetes", "--strict")).code).toBe(0);
  });

  test.each([
    ["a route without a service", ["--ingress-host", "shop.example.org"], "is no route"],
    ["a route to port 0", ["--ingress-host", "shop.example.org=web:0"], "is no route"],
    ["a route to a service that is not there", ["--ingress-host", "shop.example.org=wep"], "there is no service 'wep'"],
    ["a size that is none", ["--volume-size", "large"], "is no size"],
    ["a namespace that is none", ["--namespace", "My Shop"], "is no name in Kubernetes"],
    ["a way of publishing that there is not", ["--publish", "host"], "host"],
    ["a variable that no service has", ["--secret-env", "TOKEN"], "no service has such a variable"],
    ["a Compose file with a problem", ["-f", "missing.yaml"], "read missing.yaml"],
  ])("%s is refused with the reason", async (_, words, reason) => {
    const { code, stdout, stderr } = await run(folderWith(), "--kubernetes", ...words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(reason);
  });
});

describe("what is written", () => {
  test("a file for each manifest and one for the notes, and again over itself", async () => {
    const folder = folderWith();
    const { code, stdout } = await run(folder, "--kubernetes", "--output", "out/k8s");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "3 manifests are in out/k8s: kubectl apply -f out/k8s\n" });
    const files = readdirSync(join(folder, "out/k8s"));
    expect(files.sort()).toEqual([
      "deployment-web.yaml",
      "notes.txt",
      "service-web-published.yaml",
      "service-web.yaml",
    ]);
    expect(readFileSync(join(folder, "out/k8s/service-web.yaml"), "utf8")).toMatch(
      /^# Made by davit .*\napiVersion: v1\n/,
    );
    expect((await run(folder, "--kubernetes", "-o", "out/k8s")).code).toBe(0);
  });

  test("what an earlier export made, and this one does not, is named and left", async () => {
    const folder = folderWith();
    await run(folder, "--kubernetes", "-o", "out");
    writeFileSync(join(folder, "out", "mine.yaml"), "kind: Secret\n");
    const { code, stderr } = await run(folder, "--kubernetes", "-o", "out", "--publish", "cluster-ip");
    expect(code).toBe(0);
    expect(stderr).toBe(
      "warning: out/service-web-published.yaml is of an earlier export and made no more: remove it\n",
    );
    expect(readdirSync(join(folder, "out"))).toContain("service-web-published.yaml");
  });

  test("what somebody else wrote is not written over, and then nothing is", async () => {
    const folder = folderWith();
    mkdirSync(join(folder, "out"));
    writeFileSync(join(folder, "out", "service-web.yaml"), "kind: Service\n");
    const { code, stderr } = await run(folder, "--kubernetes", "-o", "out");
    expect(code).toBe(4);
    expect(stderr).toContain("service-web.yaml: there, and not made by an export");
    expect(readdirSync(join(folder, "out"))).toEqual(["service-web.yaml"]);
  });

  test("a directory that cannot be made is said in words", async () => {
    const { code, stderr } = await run(folderWith(), "--kubernetes", "-o", "compose.yaml");
    expect(code).toBe(1);
    expect(stderr).toContain("davit: write compose.yaml: ");
  });
});

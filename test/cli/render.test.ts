// Tables, times, errors and progress as text.

import { describe, expect, test } from "vitest";
import { renderNodes } from "../../src/cli/node/ls.ts";
import { clean } from "../../src/cli/render/clean.ts";
import { paintFor, plain } from "../../src/cli/render/color.ts";
import { renderError, renderErrorAsJson } from "../../src/cli/render/error.ts";
import { LiveLines } from "../../src/cli/render/live.ts";
import { progressLines } from "../../src/cli/render/progress.ts";
import { cut, renderTable } from "../../src/cli/render/table.ts";
import { renderTasks } from "../../src/cli/render/tasks.ts";
import { ago, bytes, duration } from "../../src/cli/render/units.ts";
import { DavitError } from "../../src/core/model/errors.ts";
import { shownBy } from "./harness.ts";
import { nodeView, NOW_MS, progressView, taskView } from "./views.ts";

describe("tables", () => {
  test("columns are as wide as their widest cell, whatever the characters and colours", () => {
    const red = paintFor(true)("bad", "failed");
    expect(
      Bun.stripANSI(
        renderTable(
          ["NAME", "STATE", "X"],
          [
            ["安宁", red, "1"],
            ["b", "ok", "22"],
          ],
        ),
      ),
    ).toBe(["NAME  STATE   X", "安宁  failed  1", "b     ok      22"].join("\n"));
  });

  test("tasks show state, health, attempts, ports and why they do not run", () => {
    const tasks = [
      taskView("shop_web.1", { hostPorts: [{ published: 8080, target: 80, protocol: "tcp" }] }),
      taskView("shop_web.2", { state: "failed", attempt: 3, healthy: false, reason: "exit code 1" }),
      taskView("shop_web.3", { unseenSince: "2026-01-01T00:00:30Z", node: "n2" }),
      taskView("shop_store.1", {
        state: "pending",
        healthy: undefined as never,
        node: undefined as never,
        reason: "its data is on n2, which is down",
      }),
    ];
    expect(renderTasks(tasks, NOW_MS)).toBe(
      [
        "ID            NAME          IMAGE   NODE  STATE               SINCE  PORTS    REASON",
        "shop_web1xxx  shop_web.1    web:v1  n1    running (healthy)   60 s   8080→80",
        "shop_web2xxx  shop_web.2    web:v1  n1    failed, attempt 3   60 s            exit code 1",
        "shop_web3xxx  shop_web.3    web:v1  n2    running? (healthy)  60 s",
        "shop_store1x  shop_store.1  web:v1  -     pending             60 s            its data is on n2, which is down",
      ].join("\n"),
    );
  });

  test("nodes show presence, load and labels", () => {
    const nodes = [
      nodeView("n1", {
        labels: { disk: "ssd" },
        measured: { cpuFraction: 0.25, memoryUsedBytes: 1024 ** 3, diskFreeBytes: 1, diskTotalBytes: 2 },
      }),
      nodeView("n2", { presence: "lost", unseenSince: "2026-01-01T00:00:50Z", tasks: 0, message: "no beat" }),
    ];
    expect(renderNodes(nodes, NOW_MS)).toBe(
      [
        "NAME  ADDRESS    STATE        AVAILABILITY  TASKS  CPU   MEMORY              DOCKER    LABELS    MESSAGE",
        "n1    10.0.0.11  ready        active        3      25 %  1.0 GiB of 4.0 GiB  20.10.24  disk=ssd",
        "n2    10.0.0.11  lost (10 s)  active        0      -     -                   20.10.24            no beat",
      ].join("\n"),
    );
  });

  test("amounts and times read as people say them", () => {
    expect([0, 999, 1_500, 119_000, 120_000, 7_200_000, 200_000_000].map(duration)).toEqual([
      "0 ms",
      "999 ms",
      "1 s",
      "119 s",
      "2 min",
      "2 h",
      "2 d",
    ]);
    expect(ago("2026-01-01T00:02:00Z", NOW_MS)).toBe("0 ms");
    expect([0, 1_023, 1_536, 10_240, 5 * 1024 ** 3].map(bytes)).toEqual([
      "0 B",
      "1023 B",
      "1.5 KiB",
      "10 KiB",
      "5.0 GiB",
    ]);
  });
});

describe("texts of containers and hosts", () => {
  test("no escape sequence and no control character reaches the terminal", () => {
    expect(clean("a\u001b[31mred\u001b[0m\u0007\r\nb\tc\u009b2J")).toBe("ared\nb\tc");
  });

  test("a line is cut at the width that it takes, with its line breaks as spaces", () => {
    expect(cut("one\n  two", 20)).toBe("one two");
    expect(cut("abcdefgh", 5)).toBe("abcd…");
    expect(Bun.stringWidth(cut("安安安安", 5))).toBeLessThanOrEqual(5);
    expect(Bun.stripANSI(cut(paintFor(true)("good", "abcdefgh"), 5))).toBe("abcd…");
  });
});

describe("progress", () => {
  test("every task has a line while there is room", () => {
    expect(progressLines([progressView("shop_web")], 23, plain)).toEqual([
      "shop_web: converging, 1 of 2 healthy: 1 of 2 tasks are healthy",
      "  shop_web.1                n1            v1  running (healthy)",
      "  shop_web.2                n1            v1  starting",
    ]);
  });

  test("without room for all, tasks that are well are left out first, then all tasks", () => {
    const services = ["a", "b", "c"].map((name) => progressView(name));
    expect(progressLines(services, 6, plain).filter((line) => line.startsWith("  "))).toEqual([
      "  a.2                       n1            v1  starting",
      "  b.2                       n1            v1  starting",
      "  c.2                       n1            v1  starting",
    ]);
    expect(progressLines(services, 5, plain)).toHaveLength(3);
  });

  test("a removal counts nobody as healthy", () => {
    const view = progressView("web", { state: "removed", done: true, message: "removed", tasks: [] });
    expect(progressLines([view], 20, plain)).toEqual(["web: removed"]);
  });

  test("live lines are redrawn in place, below what is printed meanwhile, and never taller than the terminal", () => {
    let writes = "";
    const live = new LiveLines({ write: (text) => (writes += text), size: () => ({ columns: 20, rows: 4 }) });
    live.show(["one: starting", "two: starting"]);
    live.print("a line that stays");
    live.show(["one: running and much longer than the terminal"]);
    expect(shownBy(writes)).toBe("a line that stays\none: running and m…\n");
    live.show(["1", "2", "3", "4", "5"]);
    expect(shownBy(writes)).toBe("a line that stays\n1\n2\n… and 3 more lines\n");
    live.clear();
    expect(shownBy(writes)).toBe("a line that stays\n");
  });
});

describe("errors", () => {
  const error = new DavitError("unplaceable", "web: no node takes it", {
    details: [{ where: "web.1", message: "last output:\n  boom", wayOut: "mend it" }],
    wayOut: "give it a node",
  });

  test("the first line says what failed and why, the last one the way out", () => {
    expect(renderError(error, false)).toBe(
      [
        "davit: web: no node takes it",
        "  - web.1: last output:",
        "      boom; mend it",
        "  way out: give it a node",
      ].join("\n"),
    );
  });

  test("a fault of davit's own shows no stack unless it is asked for", () => {
    expect(renderError(new Error("oops"), false)).toBe(
      "davit: oops\n  way out: this is a fault of davit's own; DAVIT_DEBUG=1 shows where",
    );
    expect(renderError(new Error("oops"), true)).toMatch(/render\.test\.ts/);
  });

  test("as JSON it has a code, a message, the way out and the details", () => {
    expect(JSON.parse(renderErrorAsJson(error))).toEqual({
      error: { code: "unplaceable", message: error.message, wayOut: "give it a node", details: error.details },
    });
    expect(JSON.parse(renderErrorAsJson("oops"))).toMatchObject({ error: { code: "internal", message: "oops" } });
  });
});

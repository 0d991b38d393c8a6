// Arguments of the command line: references, labels, durations, ports.

import { describe, expect, test } from "vitest";
import { prepareArguments } from "../../src/cli/arguments.ts";
import { parseHost } from "../../src/cli/connect.ts";
import { durationMs, parseDuration } from "../../src/cli/durations.ts";
import { exitCodeOf, exitCodeOfRun } from "../../src/cli/exit-codes.ts";
import { parseLabelChanges, parseLabels, parseVariables } from "../../src/cli/labels.ts";

describe("words before a command is known", () => {
  test("nothing at all asks for help, and help may be asked for like a command", () => {
    expect(prepareArguments([]).words).toEqual(["--help"]);
    expect(prepareArguments(["help"]).words).toEqual(["--help"]);
    expect(prepareArguments(["help", "node", "add"]).words).toEqual(["node", "add", "--help"]);
  });

  test("--host may stand anywhere and takes its value along", () => {
    const host = "ssh://admin@10.0.0.1";
    const words = ["node", "ls"];
    expect(prepareArguments(["--host", host, ...words])).toEqual({ host, wantsJson: false, words });
    expect(prepareArguments([...words, `--host=${host}`])).toEqual({ host, wantsJson: false, words });
    expect(() => prepareArguments(["node", "ls", "--host"])).toThrow("it has no value");
    expect(() => prepareArguments(["--host", "--json", "node", "ls"])).toThrow("it has no value");
  });

  test("flags behind the service of an exec belong to the command that runs there", () => {
    expect(prepareArguments(["service", "exec", "-it", "-u", "root", "web", "ls", "-la", "--host", "x"])).toEqual({
      host: undefined,
      wantsJson: false,
      words: ["service", "exec", "-it", "-u", "root", "web", "--", "ls", "-la", "--host", "x"],
    });
    expect(prepareArguments(["--host", "/s", "service", "exec", "web", "env", "--json"])).toEqual({
      host: "/s",
      wantsJson: false,
      words: ["service", "exec", "web", "--", "env", "--json"],
    });
    const escaped = ["service", "exec", "web", "--", "ls", "-la"];
    expect(prepareArguments(escaped).words).toEqual(escaped);
    expect(prepareArguments(["service", "exec", "web"]).words).toEqual(["service", "exec", "web"]);
  });

  test("errors are wanted as JSON when --json is among davit's own words", () => {
    expect(prepareArguments(["node", "ls", "--json"]).wantsJson).toBe(true);
    expect(prepareArguments(["node", "ls"]).wantsJson).toBe(false);
  });
});

describe("addresses of a coordinator", () => {
  test("a path, a URL and an SSH target are told apart", () => {
    expect(parseHost("/run/davit.sock", {})).toEqual({ kind: "socket", path: "/run/davit.sock" });
    expect(parseHost("unix:///run/davit.sock", {})).toEqual({ kind: "socket", path: "/run/davit.sock" });
    expect(parseHost("https://davit.example.org/", {})).toEqual({ kind: "url", url: "https://davit.example.org" });
    expect(parseHost("ssh://me@10.0.0.1:2222", {})).toEqual({ kind: "ssh", target: "me@10.0.0.1:2222", path: "" });
    expect(parseHost("ssh://me@h/run/d.sock", {})).toEqual({ kind: "ssh", target: "me@h", path: "/run/d.sock" });
  });

  test("without an address the usual socket of the user is meant", () => {
    expect(parseHost(undefined, { HOME: "/home/me" })).toMatchObject({ kind: "socket" });
    expect(parseHost("", { DAVIT_DATA_DIR: "/tmp" })).toMatchObject({ kind: "socket" });
  });

  test("anything else is refused with what to write", () => {
    expect(() => parseHost("coordinator", {})).toThrow("is no coordinator's address");
    expect(() => parseHost("ssh://", {})).toThrow("is not ssh://");
  });
});

describe("small values", () => {
  test("times have a unit and an end", () => {
    expect(parseDuration("90s")).toBe(90_000);
    expect(parseDuration("1.5m")).toBe(90_000);
    expect(durationMs("7d")).toBe(604_800_000);
    for (const wrong of ["", "5", "0s", "-1s", "5 m", "1w", "99999d"])
      expect(() => parseDuration(wrong)).toThrow("is not a time");
  });

  test("labels are set with a value and taken away with a dash", () => {
    expect(parseLabelChanges(["disk=ssd", "zone-", "note=a=b"])).toEqual({ disk: "ssd", zone: null, note: "a=b" });
    expect(() => parseLabels(["zone-"])).toThrow("there is none yet");
    expect(() => parseLabels(["zone"])).toThrow("is not a label");
  });

  test("variables keep every character of their values", () => {
    expect(parseVariables(["A=1\n2=3", "B="], ["C"])).toEqual({ A: "1\n2=3", B: "", C: null });
    expect(() => parseVariables(["A"], [])).toThrow("is not a variable");
    expect(() => parseVariables([], ["A=1"])).toThrow("is not a variable's name");
  });

  test("exit codes tell wrong words, missing things, conflicts and failed rollouts apart", () => {
    expect(exitCodeOf("invalid_input")).toBe(2);
    expect(exitCodeOf("not_found")).toBe(3);
    expect(exitCodeOf("out_of_sequence")).toBe(4);
    expect(exitCodeOf("unavailable")).toBe(5);
    expect(exitCodeOf("unplaceable")).toBe(6);
    expect(exitCodeOf("ssh_failed")).toBe(1);
    expect([-5, -4, -2, 0, 130, null].map(exitCodeOfRun)).toEqual([2, 2, 1, 0, 130, 0]);
  });
});

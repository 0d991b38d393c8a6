// Programs of the host, run for real: each call ends, whatever the program does.

import { expect, test } from "vitest";
import { runOnHost } from "../../../workers/agent/network/run-command.ts";

test("a program says what it said, and how it ended", async () => {
  expect(await runOnHost(["sh", "-c", "cat; echo bad >&2; exit 3"], { stdin: "in" })).toEqual({
    exitCode: 3,
    stdout: "in",
    stderr: "bad\n",
  });
});

test("one that is not there has an exit code like any other", async () => {
  expect(await runOnHost(["davit-no-such-program"])).toMatchObject({ exitCode: 127 });
});

test.each([
  ["that does not end", "echo begun; exec sleep 10"],
  ["that has ended, and whose child keeps its output", "echo begun; sleep 10 & exit 0"],
  ["that does not end, and whose child keeps its output", "sleep 10 & echo begun; wait"],
])("one %s is not waited for longer than it may take", async (_, script) => {
  const end = await runOnHost(["sh", "-c", script], { timeoutMs: 1_000 });
  expect(end).toEqual({ exitCode: 124, stdout: "begun\n", stderr: "no end within 1 s" });
});

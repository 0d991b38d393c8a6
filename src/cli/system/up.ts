// davit up, in the help: the coordinator itself is another role of the binary and is chosen before the command line is read.

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import type { CliContext } from "../context.ts";

export const up = buildCommand<Record<never, never>, [], CliContext>({
  docs: {
    brief: "run the coordinator",
    fullDescription: "Runs until it is told to end (SIGTERM, Ctrl-C). Its options: davit up --help",
  },
  parameters: {},
  func() {
    throw new DavitError("invalid_input", "up: it must be the first word", { wayOut: "davit up, then its options" });
  },
});

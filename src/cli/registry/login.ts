// davit registry login: credentials that nodes use to pull. Sealed at the coordinator, never shown again.

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import { type CliContext, say } from "../context.ts";
import { oneRef } from "../refs.ts";

type Flags = { readonly username?: string; readonly passwordStdin: boolean };

export const registryLogin = buildCommand<Flags, [string], CliContext>({
  docs: { brief: "give the nodes credentials for a registry" },
  parameters: {
    aliases: { u: "username" },
    positional: oneRef("HOST", "the registry's host, such as registry.example.com:5000"),
    flags: {
      username: { kind: "parsed", parse: String, optional: true, brief: "user name", placeholder: "NAME" },
      passwordStdin: { kind: "boolean", brief: "read the password from standard input", default: false },
    },
  },
  async func(flags, host) {
    const username = flags.username ?? (await this.ask(`user name for ${host}: `));
    if (username === undefined || username === "") throw missing(host, "user name");
    const password = flags.passwordStdin
      ? (await this.readStdin()).replace(/\r?\n$/, "")
      : await this.ask(`password of ${username} at ${host}: `, { hidden: true });
    if (password === undefined || password === "") throw missing(host, "password");
    const view = await (await this.client()).login(host, { username, password });
    say(this, `nodes log in to ${view.host} as ${view.username}`);
  },
});

function missing(host: string, what: string): DavitError {
  return new DavitError("invalid_input", `log in to ${host}: no ${what} was given`, {
    wayOut: "give --username NAME and --password-stdin, or run it on a terminal to be asked",
  });
}

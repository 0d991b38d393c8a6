// davit registry login | ls | logout: credentials that nodes use to pull. Sealed at the coordinator, never shown again.

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import { type CliContext, JSON_FLAG, say, sayJson } from "../context.ts";
import { oneRef } from "../refs.ts";
import { renderTable } from "../render/table.ts";

type LoginFlags = { readonly username?: string; readonly passwordStdin: boolean };

export const registryLogin = buildCommand<LoginFlags, [string], CliContext>({
  docs: { brief: "give the nodes credentials for a registry" },
  parameters: {
    aliases: { u: "username" },
    positional: oneRef("HOST", "the registry's host, such as registry.example.com:5000"),
    flags: {
      username: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "user name (asked for on a terminal)",
        placeholder: "NAME",
      },
      passwordStdin: { kind: "boolean", brief: "read the password from standard input", default: false },
    },
  },
  async func(flags, host) {
    const username = flags.username ?? (await this.ask(`user name for ${host}: `));
    const password = flags.passwordStdin
      ? (await this.readStdin()).replace(/\r?\n$/, "")
      : await this.ask(`password for ${username ?? "?"} at ${host}: `, { hidden: true });
    if (username === undefined || username === "" || password === undefined || password === "") {
      throw new DavitError(
        "invalid_input",
        `log in to ${host}: there is no terminal to ask for user name and password`,
        { wayOut: "give --username NAME --password-stdin" },
      );
    }
    const view = await (await this.client()).login(host, { username, password });
    say(this, `nodes log in to ${view.host} as ${view.username}`);
  },
});

export const registryLs = buildCommand<{ readonly json: boolean }, [], CliContext>({
  docs: { brief: "list the registries with credentials" },
  parameters: { flags: { json: JSON_FLAG } },
  async func({ json }) {
    const registries = await (await this.client()).registries();
    if (json) sayJson(this, registries);
    else
      say(
        this,
        renderTable(
          ["HOST", "USERNAME"],
          registries.map((registry) => [registry.host, registry.username]),
        ),
      );
  },
});

export const registryLogout = buildCommand<Record<never, never>, [string], CliContext>({
  docs: { brief: "take credentials away from the nodes" },
  parameters: { positional: oneRef("HOST", "the registry's host"), flags: {} },
  async func(_flags, host) {
    await (await this.client()).logout(host);
    say(this, `${host}: credentials are gone from the coordinator and the nodes`);
  },
});

// Commands on registry logins. The password comes sealed; its clear text never reaches the state, an event or an audit entry. Pure.

import { DavitError } from "../model/errors.ts";
import type { RegistryLogin } from "../model/records.ts";
import type { Command } from "./command.ts";
import { Draft } from "./draft.ts";

/** A host as it stands in image names, with an optional port. */
const HOST = /^[a-zA-Z0-9][a-zA-Z0-9.-]{0,252}(:\d{1,5})?$/;
/** Names under which Docker Hub is known; image names without a host belong to it. */
const HUB_NAMES: readonly string[] = ["docker.io", "index.docker.io", "registry-1.docker.io", "hub.docker.com"];

/** The host as image names are looked up by: without scheme and path, Docker Hub under one name. Throws `invalid_input`. */
export function registryHost(text: string): string {
  const host =
    text
      .replace(/^https?:\/\//, "")
      .split("/")[0]
      ?.toLowerCase() ?? "";
  if (!HOST.test(host))
    throw new DavitError("invalid_input", `'${text}' is not a registry host`, {
      wayOut: "write it as in image names: registry.example.com:5000",
    });
  return HUB_NAMES.includes(host) ? "docker.io" : host;
}

/** Stores or replaces the login of a registry. */
export function putRegistryLogin(input: {
  readonly host: string;
  readonly username: string;
  readonly sealedPassword: string;
}): Command<RegistryLogin> {
  return (state) => {
    const id = registryHost(input.host);
    const draft = new Draft();
    const { username, sealedPassword } = input;
    const before = state.registryLogin.get(id);
    if (before === undefined) draft.create("registryLogin", { id, username, sealedPassword });
    else draft.replace("registryLogin", before, { id, username, sealedPassword });
    draft.event({
      type: "registry.login",
      subject: { kind: "registry", id, name: id },
      message: `login to ${id} as ${username}`,
    });
    return draft.finish({ id, username, sealedPassword, index: (before?.index ?? 0) + 1 });
  };
}

/** Forgets the login of a registry. Throws `not_found`. */
export function removeRegistryLogin(host: string): Command<RegistryLogin> {
  return (state) => {
    const id = registryHost(host);
    const before = state.registryLogin.get(id);
    if (before === undefined)
      throw new DavitError("not_found", `log out: there is no login to ${id}`, {
        wayOut: "list what there is: davit registry ls",
      });
    const draft = new Draft();
    draft.remove("registryLogin", before);
    draft.event({
      type: "registry.logout",
      subject: { kind: "registry", id, name: id },
      message: `login to ${id} removed`,
    });
    return draft.finish(before);
  };
}

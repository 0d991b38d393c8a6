// davit certificate add NAME --cert FILE --key FILE

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { buildCommand } from "@stricli/core";
import { DavitError, reasonOf } from "../../core/model/errors.ts";
import { type CliContext, say } from "../context.ts";
import { oneRef } from "../refs.ts";

type Flags = { readonly cert: string; readonly key: string };

export const certificateAdd = buildCommand<Flags, [string], CliContext>({
  docs: { brief: "store a certificate of your own, for routes that name it or for the host of its name" },
  parameters: {
    positional: oneRef("NAME", "what routes name it by, or the host that it is for"),
    flags: {
      cert: {
        kind: "parsed",
        parse: String,
        brief: "PEM file with the certificate and its chain",
        placeholder: "FILE",
      },
      key: { kind: "parsed", parse: String, brief: "PEM file with the private key", placeholder: "FILE" },
    },
  },
  async func({ cert, key }, name) {
    const [certificatePem, keyPem] = [await read(this, cert), await read(this, key)];
    const view = await (await this.client()).putCertificate(name, { certificatePem, keyPem });
    say(this, `${view.name} is for ${view.hosts.join(", ")}, good until ${view.notAfter?.slice(0, 10) ?? "?"}`);
  },
});

async function read(context: CliContext, path: string): Promise<string> {
  try {
    return await readFile(resolve(context.cwd, path), "utf8");
  } catch (error) {
    throw new DavitError("invalid_input", `read ${path}: ${reasonOf(error)}`);
  }
}

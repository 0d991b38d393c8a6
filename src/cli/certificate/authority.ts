// davit certificate authority

import { buildCommand } from "@stricli/core";
import { type CliContext, JSON_FLAG, sayJson } from "../context.ts";

export const certificateAuthority = buildCommand<{ readonly json: boolean }, [], CliContext>({
  docs: { brief: "print the certificate of the cluster's own authority, for clients that are to trust it" },
  parameters: { flags: { json: JSON_FLAG } },
  async func({ json }) {
    const authority = await (await this.client()).authority();
    if (json) return sayJson(this, authority);
    this.process.stdout.write(authority.certificatePem);
  },
});

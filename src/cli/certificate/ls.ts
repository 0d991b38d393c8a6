// davit certificate ls

import { buildCommand } from "@stricli/core";
import { type CliContext, JSON_FLAG, say, sayJson } from "../context.ts";
import { cut, renderTable } from "../render/table.ts";

export const certificateLs = buildCommand<{ readonly json: boolean }, [], CliContext>({
  docs: { brief: "list the certificates of host names" },
  parameters: { flags: { json: JSON_FLAG } },
  async func({ json }) {
    const certificates = await (await this.client()).certificates();
    if (json) return sayJson(this, certificates);
    if (certificates.length === 0) return say(this, "there are no certificates: they come with ingress routes");
    const rows = certificates.map((one) => [
      one.name,
      one.source,
      one.state,
      one.notAfter?.slice(0, 10) ?? "-",
      one.renewsAt?.slice(0, 10) ?? "-",
      cut(one.issuer ?? "-", 40),
      cut(one.trouble === undefined ? "" : `${one.trouble}; next try ${one.nextTryAt ?? "soon"}`, 160),
    ]);
    say(this, renderTable(["NAME", "SOURCE", "STATE", "GOOD UNTIL", "RENEWED", "ISSUER", "TROUBLE"], rows));
  },
});

// Handlers: HTTP routes and certificates.

import * as commands from "../../core/commands/certificates.ts";
import { resolveService } from "../../core/commands/resolve.ts";
import type { Certificate } from "../../core/model/certificate.ts";
import { DavitError } from "../../core/model/errors.ts";
import type { CertificateView } from "../../core/model/ingress-views.ts";
import { accessLogStream } from "../access-log-stream.ts";
import { type Api, bind, bindRaw, mutate, requireStack } from "../bind.ts";
import { collectFigures } from "../collect-figures.ts";
import * as routes from "../routes/ingress.ts";
import { ingressStatsView } from "../views/ingress-stats.ts";
import { renderMetrics } from "../views/metrics.ts";
import { certificateView, ingressRouteViews } from "../views/ingress.ts";
import { countService, serviceView } from "../views/services.ts";

export function bindIngress(api: Api): void {
  const { parts } = api;
  const { backend } = parts;
  const view = (record: Certificate): CertificateView => certificateView(record, (name) => backend.unitOf(name));
  bind(api, routes.listIngress, () => ingressRouteViews(backend.world().state), { isCached: true });
  bindFigures(api);
  bind(api, routes.setMaintenance, async ({ params, body, actor, ifMatch }) => {
    const service = resolveService(backend.world().state, params.ref);
    requireStack(parts, actor, "service.maintenance", service.stack);
    const command = commands.setMaintenance({ ref: service.id, ifMatch, isOn: body.on });
    const { result } = await mutate(parts, actor, "service.maintenance", command);
    const world = backend.world();
    const tasks = [...world.state.task.values()].filter((task) => task.serviceId === result.id);
    return serviceView(world, countService(world, result, tasks));
  });
  bind(api, routes.listCertificates, () =>
    [...backend.world().state.certificate.values()].map(view).sort((a, b) => (a.name < b.name ? -1 : 1)),
  );
  bind(api, routes.getAuthority, () => {
    const record = backend.world().state.authority.get("internal");
    if (record === undefined)
      throw new DavitError("not_found", "show the cluster's authority: nothing was signed by it yet", {
        wayOut: "it is made with the first route whose tls is internal",
      });
    return { certificatePem: record.certificatePem, notAfter: new Date(record.notAfterMs).toISOString() };
  });
  bind(api, routes.putCertificate, async ({ params, body, actor }) => {
    const name = decodeURIComponent(params.name);
    const sealed = backend.sealCertificate(name, body.certificatePem, body.keyPem);
    return view((await mutate(parts, actor, "certificate.add", commands.putCertificate(name, sealed))).result);
  });
  bind(api, routes.removeCertificate, async ({ params, actor }) => {
    const name = decodeURIComponent(params.name);
    await mutate(parts, actor, "certificate.rm", commands.removeCertificate(name));
    return undefined;
  });
  bind(api, routes.renewCertificate, async ({ params, actor }) => {
    const name = decodeURIComponent(params.name);
    return view((await mutate(parts, actor, "certificate.renew", commands.renewCertificate(name))).result);
  });
}

/** What nodes count and log. */
function bindFigures(api: Api): void {
  const { parts } = api;
  const { backend } = parts;
  bind(api, routes.getIngressStats, async ({ query }) => {
    const only = query.service === undefined ? undefined : resolveService(backend.world().state, query.service).id;
    return ingressStatsView(backend.world().state, await collectFigures(backend), only);
  });
  bindRaw(api, routes.getMetrics, async () => {
    const collected = await collectFigures(backend);
    return new Response(renderMetrics(backend.world(), collected), {
      headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" },
    });
  });
  bindRaw(api, routes.getAccessLog, ({ params, query, actor }) =>
    accessLogStream(parts, actor, resolveService(backend.world().state, params.ref), query),
  );
}

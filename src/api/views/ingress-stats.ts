// What the ingress has counted as the API shows it: by service, in all and by node. Pure.

import { sumFigures } from "../../core/model/ingress-figures.ts";
import type { ServiceId } from "../../core/model/ids.ts";
import type { IngressStatsView } from "../../core/model/ingress-views.ts";
import type { State } from "../../core/model/world.ts";
import type { CollectedFigures } from "../collect-figures.ts";

/** `only`: this service alone. */
export function ingressStatsView(
  state: State,
  collected: readonly CollectedFigures[],
  only?: ServiceId,
): IngressStatsView {
  const services = [...state.service.values()]
    .filter(({ id }) => only === undefined || id === only)
    .flatMap(({ id, name }) => {
      const nodes = collected.flatMap(({ node, figures }) => {
        const own = typeof figures === "string" ? undefined : figures.find(({ serviceId }) => serviceId === id);
        return own === undefined ? [] : [{ node: node.name, figures: own.figures }];
      });
      return nodes.length === 0
        ? []
        : [{ service: name, total: sumFigures(nodes.map(({ figures }) => figures)), nodes }];
    });
  return {
    services: services.sort((a, b) => (a.service < b.service ? -1 : 1)),
    missing: collected.flatMap(({ node, figures }) =>
      typeof figures === "string" ? [{ node: node.name, reason: figures }] : [],
    ),
  };
}

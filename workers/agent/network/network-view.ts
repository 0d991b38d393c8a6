// From the documents that a node holds to what its network parts are handed. Pure.

import type {
  CertificateRoutes,
  ChallengeRoutes,
  Endpoint,
  IngressRoutes,
  MeshRoutes,
  NetworkRoutes,
  Routes,
  ServiceRoutes,
  Standing,
} from "../../../src/core/model/routes.ts";
import { assertNever } from "../../../src/core/model/invariant.ts";
import type { TaskId } from "../../../src/core/model/ids.ts";
import type { NodeWork, TaskWork } from "../../../src/core/model/work.ts";
import type { NetworkView } from "../../../src/ports/node-network.ts";

/** Undefined until the node has both documents, and is in the mesh that its routes describe. */
export function networkView(
  node: NodeWork | undefined,
  tasks: ReadonlyMap<TaskId, TaskWork>,
  routes: Routes["sections"],
): NetworkView | undefined {
  let mesh: MeshRoutes | undefined;
  const services: ServiceRoutes[] = [];
  const networks: NetworkRoutes[] = [];
  const ingress: IngressRoutes[] = [];
  const certificates: CertificateRoutes[] = [];
  let challenges: ChallengeRoutes["answers"] = [];
  for (const { content } of Object.values(routes)) {
    switch (content.kind) {
      case "mesh":
        mesh = content;
        break;
      case "service":
        services.push(content);
        break;
      case "network":
        networks.push(content);
        break;
      case "ingress":
        ingress.push(content);
        break;
      case "certificate":
        certificates.push(content);
        break;
      case "challenge":
        challenges = content.answers;
        break;
      default:
        assertNever(content);
    }
  }
  if (node === undefined || mesh?.nodes.some(({ nodeId }) => nodeId === node.nodeId) !== true) return undefined;
  return {
    node,
    mesh,
    services: services.sort((a, b) => (a.serviceId < b.serviceId ? -1 : 1)),
    networks: networks.sort((a, b) => (a.name < b.name ? -1 : 1)),
    ingress: ingress.sort((a, b) => (a.serviceId < b.serviceId ? -1 : 1)),
    certificates: certificates.sort((a, b) => (a.name < b.name ? -1 : 1)),
    challenges,
    tasks: [...tasks.values()].sort((a, b) => (a.taskId < b.taskId ? -1 : 1)),
  };
}

/** All endpoints of the routes. */
export function endpointsOf(routes: Routes["sections"]): readonly Endpoint[] {
  return Object.values(routes).flatMap(({ content }) => (content.kind === "service" ? content.endpoints : []));
}

/** The same view with what is known of the endpoints beside the routes. */
export function withStandings(view: NetworkView, standingOf: (endpoint: Endpoint) => Standing): NetworkView {
  const services = view.services.map((service) => ({
    ...service,
    endpoints: service.endpoints.map((endpoint) => ({ ...endpoint, standing: standingOf(endpoint) })),
  }));
  return { ...view, services };
}

/** The node's own tasks whose network such a view provides: those listed in it, and those that have none of ours. */
export function tasksProvidedFor(view: NetworkView): ReadonlySet<TaskId> {
  const listed = new Set(view.services.flatMap(({ endpoints }) => endpoints.map(({ taskId }) => taskId)));
  const provided = view.tasks.filter((task) => task.container.networkMode !== undefined || listed.has(task.taskId));
  return new Set(provided.map((task) => task.taskId));
}

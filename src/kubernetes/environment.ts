// Variables of a container: as they are, or, for those that the user names, in a Secret of the service. Pure.

import type { ServiceContext } from "./context.ts";
import type { Manifest, Value } from "./manifest.ts";
import { fillVariable, placeholdersIn } from "./placeholders.ts";

const NAME = /^[-._A-Za-z][-._A-Za-z0-9]*$/;

export type Environment = { readonly env: readonly Value[]; readonly secret: Manifest | undefined };

export function environmentOf(context: ServiceContext): Environment {
  const { spec, options, note, labels } = context;
  const given = Object.entries(spec.template.container.env).sort(([a], [b]) => (a < b ? -1 : 1));
  const refused = given.filter(([name]) => !NAME.test(name)).map(([name]) => `'${name}'`);
  if (refused.length > 0)
    note(
      "environment",
      `${refused.join(", ")}: Kubernetes takes no such name of a variable`,
      "use letters, digits and . _ -",
    );
  const legal = given.filter(([name]) => NAME.test(name));
  const secretName = `${context.name}-env`;
  const hidden = legal.filter(([name]) => options.secretEnv.includes(name));
  const before = new Map<string, Value>();
  const env = legal.map(([name, value]): Value => {
    if (options.secretEnv.includes(name)) {
      noteLost(context, name, placeholdersIn(value));
      return { name, valueFrom: { secretKeyRef: { name: secretName, key: name } } };
    }
    const filled = fillVariable(value, spec.name);
    noteLost(context, name, filled.lost);
    for (const variable of filled.before) before.set(JSON.stringify(variable), variable);
    return { name, ...filled.source };
  });
  if (hidden.length === 0) return { env: [...before.values(), ...env], secret: undefined };
  const metadata = { name: secretName, labels };
  const stringData = Object.fromEntries(hidden);
  return {
    env: [...before.values(), ...env],
    secret: { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", stringData },
  };
}

function noteLost({ note }: ServiceContext, name: string, lost: readonly string[]): void {
  if (lost.length > 0)
    note(
      "environment",
      `${name}: ${[...new Set(lost)].join(", ")} is not filled in`,
      "Node.Hostname, Service.Name, Task.ID and Task.Name are, outside of Secrets",
    );
}

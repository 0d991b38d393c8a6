// Variables of a container: as they are, or, for those that the user names, in a Secret of the service. Pure.

import type { ServiceContext } from "./context.ts";
import { escapeDollars, type Manifest, type Value } from "./manifest.ts";

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
  const env = legal.map(([name, value]) =>
    options.secretEnv.includes(name)
      ? { name, valueFrom: { secretKeyRef: { name: secretName, key: name } } }
      : { name, value: escapeDollars(value) },
  );
  if (hidden.length === 0) return { env, secret: undefined };
  const metadata = { name: secretName, labels };
  const stringData = Object.fromEntries(hidden);
  return { env, secret: { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", stringData } };
}

// What holds of every stack, however odd: its manifests fit the schemas and the rules of an API server, and come out the same each time.

import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import type { StackSpec } from "../../src/core/model/service-spec.ts";
import { exportStack } from "../../src/kubernetes/export.ts";
import type { ExportOptions } from "../../src/kubernetes/manifest.ts";
import { printManifest, printManifests } from "../../src/kubernetes/print.ts";
import { arbitraryOptions, arbitraryStack } from "./arbitrary-stacks.ts";
import { ruleFaults } from "./rules.ts";
import { schemaFaults } from "./schemas.ts";

/** On a machine that does other things too. */
const LONG_MS = 30_000;

/** TOKEN goes into a Secret where a service has it, and a host to the first service that has a network. */
function optionsFor(stack: StackSpec, given: Omit<ExportOptions, "ingress" | "secretEnv">): ExportOptions {
  const hasToken = stack.services.some(({ template }) => Object.hasOwn(template.container.env, "TOKEN"));
  const routed = stack.services.find(
    ({ template, mode }) => template.container.networkMode !== "none" && !mode.kind.endsWith("job"),
  );
  const ingress = routed === undefined ? [] : [{ host: "odd.example.org", service: routed.name, port: 8080 }];
  return { ...given, ingress, secretEnv: hasToken ? ["TOKEN"] : [] };
}

test(
  "any stack gives manifests that fit the schemas of Kubernetes and its rules beyond them",
  () => {
    fc.assert(
      fc.property(arbitraryStack, arbitraryOptions, (stack, given) => {
        const { manifests, notes } = exportStack(stack, optionsFor(stack, given));
        expect([...manifests.flatMap(schemaFaults), ...ruleFaults(manifests)]).toEqual([]);
        // a name that says so itself is not ours
        const drawn = JSON.stringify([stack, given]);
        const slips = ["undefined", "NaN", "[object"].filter((word) => !drawn.includes(word));
        for (const said of notes.flatMap((note) => Object.values(note))) {
          expect(said).not.toBe("");
          expect(slips.filter((word) => said.includes(word))).toEqual([]);
        }
      }),
      { numRuns: 200 },
    );
  },
  LONG_MS,
);

test(
  "the same stack comes out the same, whatever was exported before",
  () => {
    fc.assert(
      fc.property(arbitraryStack, arbitraryOptions, (stack, given) => {
        const options = optionsFor(stack, given);
        const copy = structuredClone(stack);
        const first = exportStack(stack, options);
        expect(stack).toEqual(copy);
        expect(JSON.stringify(exportStack(copy, options))).toBe(JSON.stringify(first));
      }),
      { numRuns: 100 },
    );
  },
  LONG_MS,
);

test(
  "any text is read as it was printed, by the rules of YAML 1.1 and 1.2",
  () => {
    const odd = fc.constantFrom("\n", " ", "\t", "\r", "a", ":", "#", "-", "%", "\u0085", "\u2028", "\ufeff");
    const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.string({ unit: odd, maxLength: 8 }));
    fc.assert(
      fc.property(text, (value) => {
        const metadata = { name: "odd" };
        const manifest = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { first: value, last: value } };
        for (const version of ["1.1", "1.2"] as const)
          expect(parse(printManifest(manifest), { version })).toEqual(manifest);
        // eslint-disable-next-line no-control-regex -- they are what must not be there
        expect(printManifest(manifest)).toMatch(/^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff]*$/);
      }),
      { numRuns: 1_000 },
    );
  },
  LONG_MS,
);

test(
  "what is printed is read as what was meant, by the rules of YAML 1.1 and 1.2",
  () => {
    fc.assert(
      fc.property(arbitraryStack, arbitraryOptions, (stack, given) => {
        const { manifests, notes } = exportStack(stack, optionsFor(stack, given));
        for (const manifest of manifests)
          for (const version of ["1.1", "1.2"] as const)
            expect(parse(printManifest(manifest), { version })).toEqual(manifest);
        const lines = printManifests(manifests, notes).split("\n");
        const head = lines.slice(0, lines.indexOf("---"));
        expect(head.every((line) => line.startsWith("#"))).toBe(true);
      }),
      { numRuns: 40 },
    );
  },
  LONG_MS,
);

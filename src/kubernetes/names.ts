// Names as Kubernetes allows them: services, claims and the like get DNS labels that begin with a letter, no two the same; label values
// and annotation keys are checked. Pure.

/** A Service's name, a container's, a volume's in a pod. */
const LABEL = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

const MAX_LABEL = 63;
export const MAX_SUBDOMAIN = 253;
/** Kubernetes adds a hash of 10 characters and a dash to a StatefulSet's name, and the sum is the value of a label. */
export const MAX_WORKLOAD_NAME = 52;

export function isDnsLabel(text: string): boolean {
  return text.length <= MAX_LABEL && LABEL.test(text);
}

export function isSubdomain(text: string): boolean {
  return text.length <= MAX_SUBDOMAIN && SUBDOMAIN.test(text);
}

/** Whether a text may be the key of a label or an annotation. */
export function isQualifiedName(text: string): boolean {
  const slash = text.indexOf("/");
  return QUALIFIED.test(text.slice(slash + 1)) && (slash === -1 || isSubdomain(text.slice(0, slash)));
}

export function isLabelValue(text: string): boolean {
  return text === "" || QUALIFIED.test(text);
}

/** The nearest legal DNS label of at most `max` characters. */
export function dnsLabel(text: string, max: number = MAX_LABEL): string {
  const plain = text.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const trimmed = plain.replaceAll(/^-+|-+$/g, "");
  const started = /^[a-z]/.test(trimmed) ? trimmed : `x-${trimmed}`;
  return started.slice(0, max).replace(/-+$/, "");
}

/** Hands out names that nobody else has. */
export class Names {
  readonly #taken = new Set<string>();
  readonly #max: number;

  constructor(max: number = MAX_LABEL) {
    this.#max = max;
  }

  has(name: string): boolean {
    return this.#taken.has(name);
  }

  /** The legal form of a text, numbered if it is taken. */
  take(text: string): string {
    const base = dnsLabel(text, this.#max);
    let name = base;
    for (let number = 2; this.#taken.has(name); number += 1) {
      const end = `-${number}`;
      name = base.slice(0, this.#max - end.length).replace(/-+$/, "") + end;
    }
    this.#taken.add(name);
    return name;
  }

  /** Names for many texts at once: those that are legal keep theirs, whatever the order. */
  takeAll(texts: readonly string[]): ReadonlyMap<string, string> {
    const sorted = [...new Set(texts)].sort();
    const isLegal = (text: string): boolean => dnsLabel(text, this.#max) === text;
    const ordered = [...sorted.filter(isLegal), ...sorted.filter((text) => !isLegal(text))];
    return new Map(ordered.map((text) => [text, this.take(text)]));
  }
}

/** A service's or a volume's name as its Compose file has it. */
export function shortName(name: string, stack: string): string {
  return name.startsWith(`${stack}_`) && name.length > stack.length + 1 ? name.slice(stack.length + 1) : name;
}

// What the ingress of a node counts of a service, and how nodes' figures are summed. Counts only grow, over reloads of the proxy and restarts
// of the agent; they begin anew with the service's first route. Pure.

/** Counts since the service has routes on the node. */
export type IngressCounts = {
  /** Answers by the first digit of their status, those that the proxy gave itself included; none for connections led by SNI. */
  readonly answers: {
    readonly "1": number;
    readonly "2": number;
    readonly "3": number;
    readonly "4": number;
    readonly "5": number;
  };
  /** Requests that were led to the service; connections where they are led by SNI. */
  readonly requests: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Refused by an option of the route: users, allow, deny, rate limit, body limit. */
  readonly rejected: number;
  /** Tries to connect to a container, beyond the first of a request. */
  readonly retries: number;
  /** Requests for which no container could be reached. */
  readonly unreached: number;
  /** Answers that broke off or were no HTTP. */
  readonly broken: number;
};

export type IngressFigures = IngressCounts & {
  /** Requests or connections that are open now. */
  readonly open: number;
  /** Mean of the last 1,024 requests until the first byte of the answer, in milliseconds. */
  readonly firstByteMs: number;
  /** Mean of the last 1,024 requests until the end of the answer, in milliseconds. */
  readonly tookMs: number;
};

/** Figures of one node, by service. */
export type NodeIngressFigures = readonly { readonly serviceId: string; readonly figures: IngressFigures }[];

export const NO_FIGURES: IngressFigures = {
  answers: { "1": 0, "2": 0, "3": 0, "4": 0, "5": 0 },
  requests: 0,
  bytesIn: 0,
  bytesOut: 0,
  rejected: 0,
  retries: 0,
  unreached: 0,
  broken: 0,
  open: 0,
  firstByteMs: 0,
  tookMs: 0,
};

/** Counts of both together. */
export function addCounts(a: IngressCounts, b: IngressCounts): IngressCounts {
  return eachOf(a, b, (one, other) => one + other);
}

/** What came since `before`; a count that is lower than then began anew, and is all new. */
export function countsSince(now: IngressCounts, before: IngressCounts): IngressCounts {
  const isAnew = now.requests < before.requests || now.bytesIn < before.bytesIn || now.bytesOut < before.bytesOut;
  return isAnew ? now : eachOf(now, before, (one, other) => Math.max(0, one - other));
}

/** Of several nodes or backends: counts summed, means weighed by requests. */
export function sumFigures(all: readonly IngressFigures[]): IngressFigures {
  const asked = all.reduce((sum, { requests }) => sum + requests, 0);
  const mean = (of: (figures: IngressFigures) => number): number =>
    asked === 0 ? 0 : Math.round(all.reduce((sum, each) => sum + of(each) * each.requests, 0) / asked);
  return {
    ...all.reduce<IngressCounts>(addCounts, NO_FIGURES),
    open: all.reduce((sum, { open }) => sum + open, 0),
    firstByteMs: mean(({ firstByteMs }) => firstByteMs),
    tookMs: mean(({ tookMs }) => tookMs),
  };
}

function eachOf(a: IngressCounts, b: IngressCounts, join: (a: number, b: number) => number): IngressCounts {
  return {
    answers: {
      "1": join(a.answers["1"], b.answers["1"]),
      "2": join(a.answers["2"], b.answers["2"]),
      "3": join(a.answers["3"], b.answers["3"]),
      "4": join(a.answers["4"], b.answers["4"]),
      "5": join(a.answers["5"], b.answers["5"]),
    },
    requests: join(a.requests, b.requests),
    bytesIn: join(a.bytesIn, b.bytesIn),
    bytesOut: join(a.bytesOut, b.bytesOut),
    rejected: join(a.rejected, b.rejected),
    retries: join(a.retries, b.retries),
    unreached: join(a.unreached, b.unreached),
    broken: join(a.broken, b.broken),
  };
}

// Limits that both sides of the HTTP API know. Pure.

/** The largest body of a request: a stack of hundreds of services is under 2 MiB. */
export const MAX_BODY_BYTES = 4 * 1024 * 1024;

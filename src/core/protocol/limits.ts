// Limits that both sides of the HTTP API know. Pure.

/** The largest body of a request: a stack of hundreds of services is under 2 MiB, and its configs are at most 8 MiB, 11 as base64. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024;

// Where other nodes reach a node's mesh, as a person writes it: "203.0.113.7", "n2.example.com:51821". Pure.

import { DavitError } from "./errors.ts";

export type MeshEndpoint = { readonly host: string; readonly port?: number };

const HOST = /^(?=.{1,253}$)[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$/;

/** Throws `invalid_input`. */
export function parseMeshEndpoint(text: string): MeshEndpoint {
  const match = /^([^:\s]+)(?::(\d{1,5}))?$/.exec(text);
  const [, host = "", port] = match ?? [];
  const endpoint = { host, ...(port === undefined ? {} : { port: Number(port) }) };
  const problem = match === null ? `'${text}' is not an IPv4 address or a name` : meshEndpointProblem(endpoint);
  if (problem === undefined) return endpoint;
  throw new DavitError("invalid_input", `read the endpoint: ${problem}`, {
    wayOut: "write HOST or HOST:PORT, an IPv4 address or a name; nodes talk to each other over IPv4",
  });
}

/** What is wrong with an endpoint, in words. */
export function meshEndpointProblem({ host, port }: MeshEndpoint): string | undefined {
  if (!HOST.test(host)) return `'${host.slice(0, 80)}' is not an IPv4 address or a name`;
  if (/^[\d.]+$/.test(host) && !isIpv4(host)) return `'${host}' is not an IPv4 address`;
  if (port !== undefined && !(Number.isSafeInteger(port) && port >= 1 && port <= 65_535))
    return `port ${port} is not from 1 to 65535`;
  return undefined;
}

function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}

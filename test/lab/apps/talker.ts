// The server that lab tests talk to, in an image of its own: keep-alive, WebSocket, uploads, HTTP/2 without TLS, an
// echo over TLS of its own, gRPC, and an orderly end. It says who it is and whom it thinks it talks to.

import { createServer } from "node:http2";
import { hostname } from "node:os";
import { createServer as createTlsServer } from "node:tls";
import { serveGrpc } from "./grpc-server.ts";
import { newAuthority, newCertificate, newKey } from "../../../src/certificates/x509.ts";

const version = process.env["TALKER_VERSION"] ?? "none";
const port = Number(process.env["TALKER_PORT"] ?? "8080");
/** When somebody asked this server first: its own probe. Unix ms. */
let askedFirstMs: number | undefined;

function told(headers: (name: string) => string | null | undefined, path: string, peer: string | undefined): string {
  return JSON.stringify({
    version,
    host: hostname(),
    askedFirstMs,
    path,
    peer,
    client: headers("x-forwarded-for"),
    proto: headers("x-forwarded-proto"),
    asked: headers("host"),
    extra: headers("x-extra"),
    user: headers("authorization"),
  });
}

const server = Bun.serve({
  port,
  hostname: "0.0.0.0",
  idleTimeout: 120,
  maxRequestBodySize: 1024 ** 3,
  async fetch(request, self) {
    askedFirstMs ??= Date.now();
    const { pathname, searchParams } = new URL(request.url);
    if (pathname.endsWith("/ws") && self.upgrade(request, { data: undefined })) return undefined;
    const waitMs = Number(searchParams.get("wait") ?? "0");
    if (waitMs > 0) await Bun.sleep(waitMs);
    let received = 0;
    if (request.body !== null) for await (const chunk of request.body) received += chunk.length;
    const text = told((name) => request.headers.get(name), pathname, self.requestIP(request)?.address);
    return new Response(received > 0 ? JSON.stringify({ ...JSON.parse(text), received }) : text, {
      headers: { "content-type": "application/json" },
    });
  },
  websocket: {
    message(socket, message) {
      socket.send(`${version} ${hostname()} ${String(message)}`);
    },
  },
});

const streams = createServer((request, response) => {
  const header = (name: string): string | undefined => {
    const value = request.headers[name] ?? request.headers[":authority"];
    return typeof value === "string" ? value : undefined;
  };
  response.setHeader("content-type", "application/json");
  response.end(`${told(header, request.url, request.socket.remoteAddress)}\n`);
});
streams.listen(port + 1, "0.0.0.0");

// TLS of its own, by a certificate that nobody else has
const nowMs = Date.now();
const [authorityKey, keyPem] = [newKey(), newKey()];
const authority = { certificatePem: newAuthority("talker", authorityKey, nowMs, 86_400_000), keyPem: authorityKey };
const cert = newCertificate({ hosts: ["talker.test"], keyPem, authority, nowMs, lifetimeMs: 3_600_000 });
createTlsServer({ key: keyPem, cert }, (socket) => {
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes) => socket.write(`${version} ${hostname()} ${bytes.toString("utf8")}`));
}).listen(port + 2, "0.0.0.0");

const endGrpc = serveGrpc(port + 3, version, hostname());

process.on("SIGTERM", () => {
  streams.close();
  void Promise.all([server.stop(), endGrpc()]).then(() => process.exit(0));
});
process.stdout.write(`talker ${version} listens on ${port}\n`);

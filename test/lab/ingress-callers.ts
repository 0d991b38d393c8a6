// What calls the HTTP door from outside in ways that curl does not.

import { connect as connectHttp2 } from "node:http2";
import { connect as connectTls } from "node:tls";
import { mustRun } from "./run-command.ts";

/** What a talker says of a request and of itself. */
export type Said = {
  readonly version: string;
  readonly host: string;
  readonly client: string;
  readonly proto: string;
  readonly peer: string;
  readonly path: string;
};

/** The name in the certificate that is shown, and the answer to one word. */
export function overTls(address: string, servername: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: address, port: 443, servername, rejectUnauthorized: false });
    socket.setTimeout(10_000, () => socket.destroy(new Error(`${servername}: no answer in time`)));
    socket.on("error", reject);
    socket.once("secureConnect", () => socket.write("hello"));
    socket.once("data", (bytes) => {
      const names = socket.getPeerCertificate().subjectaltname ?? "";
      socket.destroy();
      resolve(`${names.replace("DNS:", "")} ${bytes.toString("utf8")}`);
    });
  });
}

/** The serial number of the certificate that is shown. */
export function serialOf(address: string, servername: string): Promise<string> {
  const ask = `openssl s_client -connect ${address}:443 -servername ${servername} 2>/dev/null`;
  return mustRun(["sh", "-c", `echo | ${ask} | openssl x509 -noout -serial`]);
}

/** One request over HTTP/2 with prior knowledge, as gRPC clients make it. */
export function overHttp2(address: string, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`http://${address}`);
    session.on("error", reject);
    const stream = session.request({ ":path": "/echo", ":authority": host });
    let text = "";
    stream.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")));
    stream.on("error", reject);
    stream.on("end", () => {
      session.close();
      resolve(text);
    });
    stream.end();
  });
}

// What calls the HTTP door from outside in ways that curl does not, and a certificate authority that answers it.

import { readFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { waitUntil } from "./cluster.ts";
import type { Lab } from "./lab.ts";
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

/** How an ACME server finds what it looks at: a name's host, or a server of the names themselves. */
type AcmeNames = { readonly hosts: string } | { readonly dnsServer: string };

/** The distribution's own, on the first host, with the lab's authority for its certificates. `hosts`: lines as of /etc/hosts. */
export async function startAcmeServer(lab: Lab, acmeHost: string, names: AcmeNames): Promise<void> {
  const caFile = join(lab.directory, "registry", "ca.crt");
  const ca = (name: string): string => readFileSync(join(lab.directory, "registry", name), "utf8");
  // a block of a Caddyfile begins and ends with a line
  const config = `{
  admin off
  auto_https disable_redirects
  http_port 8079
  pki {
    ca local {
      root {
        cert /root/ca.crt
        key /root/ca.key
      }
    }
  }
}
https://${acmeHost}:9443 {
  tls internal
  acme_server
}
`;
  await lab.on(
    "n1",
    `export DEBIAN_FRONTEND=noninteractive; apt-get -qq update && apt-get install -y -qq --no-install-recommends caddy >/dev/null && systemctl disable -q --now caddy
${"hosts" in names ? `echo '${names.hosts}' >> /etc/hosts` : `echo 'nameserver ${names.dnsServer}' > /root/resolv.conf`}
cat > /root/ca.crt <<'E'\n${ca("ca.crt")}E
cat > /root/ca.key <<'E'\n${ca("ca.key")}E
cat > /root/Caddyfile <<'E'\n${config}E
systemd-run -q --unit=acme ${"hosts" in names ? "" : "-p BindReadOnlyPaths=/root/resolv.conf:/etc/resolv.conf"} -E HOME=/root -E XDG_DATA_HOME=/root/caddy caddy run --config /root/Caddyfile`,
  );
  const directory = `https://${acmeHost}:9443/acme/local/directory`;
  await waitUntil("the ACME server answers", 20_000, async () =>
    mustRun(["curl", "-fsS", "--cacert", caFile, directory]).then(
      () => true,
      () => false,
    ),
  );
}

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

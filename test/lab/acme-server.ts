// A real ACME server on a host of the lab.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { waitUntil } from "./cluster.ts";
import type { Lab } from "./lab.ts";
import { mustRun } from "./run-command.ts";

/** How an ACME server finds what it looks at: a name's host, or a server of the names themselves. */
type AcmeNames = { readonly hosts: string } | { readonly dnsServer: string };

/** Where the server of a lab will be, and by which authority it is known. */
export function acmeServerOf(lab: Lab): {
  readonly origin: string;
  readonly directory: string;
  readonly caFile: string;
} {
  const origin = `https://${lab.gateway.replace(/\.1$/, ".11")}:9443`;
  return { origin, directory: `${origin}/acme/local/directory`, caFile: join(lab.directory, "registry", "ca.crt") };
}

/** The distribution's own, on the first host, with the lab's authority for its certificates. `hosts`: lines as of /etc/hosts. */
export async function startAcmeServer(lab: Lab, names: AcmeNames): Promise<void> {
  const { origin, directory, caFile } = acmeServerOf(lab);
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
${origin} {
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
  await waitUntil("the ACME server answers", 20_000, async () =>
    mustRun(["curl", "-fsS", "--cacert", caFile, directory]).then(
      () => true,
      () => false,
    ),
  );
}

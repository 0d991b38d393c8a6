// Where davit's things are on a node: shared by the steps that put them there and by the removal. Data only.

export const AGENT_BINARY = "/usr/local/lib/davit/davit";
export const AGENT_DIR = "/usr/local/lib/davit";
export const CONFIG_DIR = "/etc/davit";
export const NODE_FILE = "/etc/davit/node.json";
export const ISSUERS_FILE = "/etc/davit/issuers.json";
export const ENGINE_MARKER = "/etc/davit/engine-installed-by-davit";
export const STATE_DIR = "/var/lib/davit";
export const RUNTIME_DIR = "/run/davit";
export const USER_HOME = "/var/lib/davit-ssh";
export const USER = "davit";
export const UNIT = "davit-agent.service";
export const UNIT_FILE = `/etc/systemd/system/${UNIT}`;
export const CONTROL_SOCKET = "/run/davit/control.sock";
export const BULK_SOCKET = "/run/davit/agent.sock";

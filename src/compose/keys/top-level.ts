// What davit does with the keys outside services: networks, volumes, configs, secrets, include and what stands at the top. Pure data.

import { type KeyTable, under, v } from "./verdict.ts";

const davit = v("davit");
const legacy = v("davit", "the older form of external with name");

export const TOP_LEVEL_KEYS: KeyTable = {
  version: v("davit", "files of any version are read by the current specification"),
  name: v("davit", "the stack's name, unless --name is given"),
  services: davit,
  networks: v("davit", "services that share none cannot reach each other"),
  volumes: davit,
  configs: davit,
  secrets: v("davit", "checked; a service that uses one is refused for now"),
  include: v("davit", "with its own project directory and env files; remote ones are refused"),
  models: v("refused", "run the model as a service of its own"),
  ...under("include", davit, "path project_directory env_file"),
  "networks.*.driver": v("davit", "overlay and bridge mean davit's own network; others are not there yet"),
  "networks.*.driver_opts": v("ignored", "davit's own network takes none"),
  "networks.*.attachable": v("ignored", "containers outside davit have the node's bridge"),
  "networks.*.enable_ipv4": v("ignored", "addresses are IPv4"),
  "networks.*.enable_ipv6": v("ignored", "addresses are IPv4"),
  "networks.*.external": davit,
  "networks.*.external.name": legacy,
  "networks.*.internal": v("davit", "a service whose networks are all internal reaches nothing outside"),
  "networks.*.ipam": v("ignored", "davit chooses the addresses, from the pool given at davit up"),
  "networks.*.labels": davit,
  "networks.*.name": davit,
  ...under("volumes.*", davit, "driver driver_opts external labels name"),
  "volumes.*.external.name": legacy,
  ...under("configs.*", davit, "file content environment"),
  "configs.*.external": v("not yet", "give the file, its content or an environment variable"),
  "configs.*.external.name": v("not yet", "give the file, its content or an environment variable"),
  "configs.*.name": v("ignored", "a config belongs to its stack"),
  "configs.*.labels": v("ignored", "a config belongs to its stack"),
  "configs.*.template_driver": v("refused", "variables are filled in by interpolation"),
  ...under("secrets.*", davit, "file environment external name labels"),
  "secrets.*.external.name": legacy,
  ...under("secrets.*", v("refused", "davit keeps secrets itself"), "driver driver_opts template_driver"),
};

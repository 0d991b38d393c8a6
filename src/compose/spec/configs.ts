// Configs: their contents at the top level (a file, a text, a variable), where services mount them, and files beside the Compose file that
// a service binds read-only, which travel the same way, since the node has no such file. Pure but for the files that it reads.

import {
  type ConfigFile,
  type ConfigMount,
  MAX_CONFIG_BYTES,
  MAX_STACK_CONFIG_BYTES,
} from "../../core/model/service-spec.ts";
import type { ReadFile } from "../tree/disk.ts";
import { type ComposeNode, get, type MapNode, type Place, written } from "../tree/node.ts";
import { absolutePath, isRemote } from "../tree/paths.ts";
import type { Environment } from "../tree/interpolate.ts";
import { named, type Reader } from "./reader.ts";

const READABLE = 0o444;
const EXECUTABLE = 0o555;
const OWNER = { min: 0, max: 4_294_967_294, whole: true } as const;

export type ConfigInput = {
  readonly reader: Reader;
  readonly read: ReadFile;
  /** Lower-case hex of SHA-256. */
  readonly hash: (bytes: Uint8Array) => string;
  /** The project's directory, absolute. */
  readonly directory: string;
  readonly environment: Environment;
};

type Contents = { readonly bytes: Uint8Array; readonly isExecutable: boolean };

/** What a stack's configs hold, and which of them its services use. */
export class Configs {
  readonly #input: ConfigInput;
  /** Undefined: declared, but what is wrong with it was said. */
  readonly #declared = new Map<string, Contents | undefined>();
  readonly #used = new Map<string, ConfigFile>();
  #bytes = 0;

  constructor(input: ConfigInput, root: MapNode) {
    this.#input = input;
    const { reader } = input;
    for (const [key, { keyAt, node }] of named(reader.map(get(root, "configs"), "configs")))
      this.#declared.set(key, this.#readDeclared(keyAt, node, `configs.${key}`));
  }

  /** Contents of all that is mounted, in the order of their ids. */
  get used(): readonly ConfigFile[] {
    return [...this.#used.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** `configs:` of a service. */
  readMounts(node: ComposeNode | undefined, path: string): readonly ConfigMount[] {
    const { reader } = this.#input;
    return reader.list(node, path).flatMap((item, at) => this.#readMount(item, `${path}[${at}]`) ?? []);
  }

  /** A file of this machine that a service binds: as a config, if it can be one. */
  readBind(
    at: Place,
    path: string,
    bind: { readonly source: string; readonly target: string; readonly readOnly: boolean },
  ): ConfigMount | undefined {
    const { reader, read, directory, environment } = this.#input;
    const { target, readOnly } = bind;
    // the same for everyone, wherever the project is on their disks
    const source = bind.source.startsWith(`${directory}/`) ? `.${bind.source.slice(directory.length)}` : bind.source;
    const content = read(absolutePath(source, directory, environment["HOME"]));
    const file = `'${source}' is a path on this machine, not on the nodes`;
    switch (content.kind) {
      case "file":
        if (!readOnly)
          return reader.problem(
            at,
            path,
            `${file}, and writable: add :ro and it travels with the stack, or give an absolute path of the node or a named volume`,
          );
        return this.#use(at, path, { name: source, ...content }, { target });
      case "directory":
        return reader.problem(
          at,
          path,
          `${file}, and a directory: put the files into the image or a named volume, name single files with :ro, or give an absolute path of the node`,
        );
      case "large":
        return reader.problem(
          at,
          path,
          `${file}, and larger than ${MAX_CONFIG_BYTES / 1024} KiB: put it into the image`,
        );
      case "missing":
        return reader.problem(
          at,
          path,
          `${file}, and nothing is there: for data of its own write data:${target} with data: under volumes: at the top level; else give an absolute path of the node`,
        );
      case "failed":
        return reader.problem(at, path, `'${source}' cannot be read: ${content.reason}`);
    }
  }

  #readDeclared(keyAt: Place, node: ComposeNode, path: string): Contents | undefined {
    const { reader, environment } = this.#input;
    const map = reader.section(node, path, "configs.*");
    if (map?.entries.has("external") === true) return undefined;
    const given = ["file", "content", "environment"].filter((key) => written(get(map, key)) !== undefined);
    if (given.length !== 1) return reader.problem(keyAt, path, "wants one of file, content, environment");
    const [key = ""] = given;
    const text = reader.text(get(map, key), `${path}.${key}`);
    const at = get(map, key)?.at ?? keyAt;
    if (text === undefined) return undefined;
    if (key === "file") return this.#readFile(at, `${path}.file`, text);
    const value = key === "content" ? text : environment[text];
    if (value === undefined) return reader.problem(at, `${path}.environment`, `variable ${text} is not set`);
    return { bytes: new TextEncoder().encode(value), isExecutable: false };
  }

  #readFile(at: Place, path: string, name: string): Contents | undefined {
    const { reader, read, directory, environment } = this.#input;
    if (isRemote(name)) return reader.problem(at, path, `'${name}' is remote: download it and name the file`);
    const content = read(absolutePath(name, directory, environment["HOME"]));
    if (content.kind === "file") return content;
    const fault = {
      directory: "is a directory",
      missing: "is not there",
      large: `is larger than ${MAX_CONFIG_BYTES / 1024} KiB`,
      failed: "cannot be read",
    }[content.kind];
    return reader.problem(at, path, `'${name}' ${fault}${content.kind === "failed" ? `: ${content.reason}` : ""}`);
  }

  #readMount(item: ComposeNode, path: string): ConfigMount | undefined {
    const { reader } = this.#input;
    const map = item.kind === "map" ? reader.section(item, path, "services.*.configs") : undefined;
    const source = reader.text(map === undefined ? item : get(map, "source"), path);
    if (source === undefined) return reader.problem(item.at, path, "lacks source, the name of a config");
    if (!this.#declared.has(source))
      return reader.problem(
        item.at,
        path,
        `config '${source}' is not declared under configs: at the top level${reader.near(source, this.#declared.keys())}`,
      );
    const contents = this.#declared.get(source);
    const given = reader.text(get(map, "target"), `${path}.target`) ?? source;
    const target = given.startsWith("/") ? given : `/${given}`;
    const mode = reader.mode(get(map, "mode"), `${path}.mode`);
    const uid = reader.number(get(map, "uid"), `${path}.uid`, OWNER);
    const gid = reader.number(get(map, "gid"), `${path}.gid`, OWNER);
    if (contents === undefined) return undefined;
    return this.#use(item.at, path, { name: source, ...contents }, { target, mode, uid, gid });
  }

  #use(
    at: Place,
    path: string,
    contents: Contents & { readonly name: string },
    mount: {
      readonly target: string;
      readonly mode?: number | undefined;
      readonly uid?: number | undefined;
      readonly gid?: number | undefined;
    },
  ): ConfigMount | undefined {
    const { reader, hash } = this.#input;
    const { name, bytes, isExecutable } = contents;
    if (bytes.length > MAX_CONFIG_BYTES)
      return reader.problem(at, path, `'${name}' is larger than ${MAX_CONFIG_BYTES / 1024} KiB: put it into the image`);
    const id = hash(bytes);
    if (!this.#used.has(id)) {
      this.#bytes += bytes.length;
      if (this.#bytes > MAX_STACK_CONFIG_BYTES)
        return reader.problem(
          at,
          path,
          `the stack's configs are larger than ${MAX_STACK_CONFIG_BYTES / 1_048_576} MiB together`,
        );
      this.#used.set(id, { id, data: Buffer.from(bytes).toString("base64") });
    }
    const { target, uid, gid } = mount;
    return {
      kind: "config",
      config: id,
      name,
      target,
      mode: mount.mode ?? (isExecutable ? EXECUTABLE : READABLE),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    };
  }
}

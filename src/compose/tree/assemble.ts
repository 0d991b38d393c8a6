// From the files of -f to one tree: each file parsed, its variables filled in, its `extends` carried out, merged onto the ones before
// it; then what is included, each a project of its own directory and variables, copied in. Pure but for the files that it reads.

import { posix } from "node:path";
import { type ReadFile, textOfFile } from "./disk.ts";
import { parseEnvFile } from "./env-file.ts";
import { extendServices, type ExtendScope } from "./extends.ts";
import { type Complaints, interpolate, type Variables } from "./interpolate.ts";
import { cleaned, mergeNodes } from "./merge.ts";
import { type ComposeNode, get, type MapNode, meaning, type Place, withEntry, withoutEntry, written } from "./node.ts";
import { MAX_NODES, parseFile } from "./parse.ts";
import { absolutePath, isRemote, rebaseFile } from "./paths.ts";
import { keysAt } from "../keys/table.ts";

/** Files that one stack may be made of. */
const MAX_FILES = 500;
/** Values in all of them, those behind aliases each time they are used. */
const MAX_STACK_NODES = 2 * MAX_NODES;
const MAX_INCLUDE_DEPTH = 20;

export type SourceFile = {
  /** As it is shown in problems. */
  readonly name: string;
  /** Absolute; absent for standard input. */
  readonly path?: string;
  readonly text: string;
};

/** What relative paths and variables of some files mean. */
export type Project = {
  readonly directory: string;
  readonly variables: Variables;
};

export class Assembler {
  readonly #read: ReadFile;
  readonly #nameOf: (path: string) => string;
  readonly #to: Complaints;
  readonly #trees = new Map<Project, Map<string, MapNode | undefined>>();
  readonly #parsed = new Map<SourceFile, MapNode | undefined>();
  #nodes = 0;

  /** `nameOf`: how an absolute path is shown in problems. */
  constructor(read: ReadFile, nameOf: (path: string) => string, to: Complaints) {
    this.#read = read;
    this.#nameOf = nameOf;
    this.#to = to;
  }

  /** The files as one tree without `extends` and `include`; undefined if none of them could be read. */
  assemble(files: readonly SourceFile[], project: Project, chain: readonly string[] = []): MapNode | undefined {
    let merged: MapNode | undefined;
    for (const file of files) {
      const root = this.#tree(file, project);
      if (root === undefined) continue;
      const services = extendServices(this.#scope(file.path ?? file.name, root, merged, project.directory, project));
      const extended = services === undefined ? root : withEntry(root, "services", services);
      const next = merged === undefined ? cleaned(extended) : mergeNodes(merged, extended);
      merged = next.kind === "map" ? next : merged;
    }
    if (merged === undefined) return undefined;
    const included = this.#include(merged, project, [...chain, ...files.flatMap(({ path }) => path ?? [])]);
    if (chain.length === 0) this.#checkSize(included);
    return included;
  }

  /** One file as it stands, before variables are filled in; its problems are noted once. */
  parsed(file: SourceFile): MapNode | undefined {
    if (this.#parsed.has(file)) return this.#parsed.get(file);
    const root = this.#parse(file);
    this.#parsed.set(file, root);
    return root;
  }

  #parse(file: SourceFile): MapNode | undefined {
    const { root, problems, nodes } = parseFile(file.name, file.text);
    this.#to.problems.push(...problems);
    this.#nodes += nodes;
    if (this.#nodes > MAX_STACK_NODES || this.#parsed.size > MAX_FILES) {
      const start: Place = { file: file.name, line: 1, column: 1 };
      return this.#complain(
        start,
        "",
        `the stack has more than ${MAX_FILES} files, or ${MAX_STACK_NODES} values in them`,
      );
    }
    if (written(root) === undefined || root?.kind === "map") return root?.kind === "map" ? root : undefined;
    return this.#complain(
      root?.at ?? { file: file.name, line: 1, column: 1 },
      "",
      "a Compose file is a mapping: services: and so on",
    );
  }

  #tree(file: SourceFile, project: Project): MapNode | undefined {
    const root = this.parsed(file);
    const filled = root === undefined ? undefined : interpolate(root, project.variables, this.#to);
    return filled?.kind === "map" ? filled : undefined;
  }

  #scope(id: string, root: MapNode, earlier: MapNode | undefined, directory: string, project: Project): ExtendScope {
    const services = get(root, "services");
    const before = get(earlier, "services");
    return {
      id,
      services: services?.kind === "map" ? services : undefined,
      earlier: before?.kind === "map" ? before : undefined,
      directory,
      home: project.variables.values["HOME"],
      complain: (problem) => this.#to.problems.push(problem),
      open: (path, at, where) => {
        const other = this.#opened(path, at, where, project);
        return other === undefined ? undefined : this.#scope(path, other, undefined, posix.dirname(path), project);
      },
      done: new Map(),
    };
  }

  /** A file that services are extended from; read once, however many of them there are. */
  #opened(path: string, at: Place, where: string, project: Project): MapNode | undefined {
    const trees = this.#trees.get(project) ?? new Map<string, MapNode | undefined>();
    this.#trees.set(project, trees);
    if (trees.has(path)) return trees.get(path);
    const file = this.#file(path, at, where);
    const tree = file === undefined ? undefined : this.#tree(file, project);
    trees.set(path, tree);
    return tree;
  }

  #file(path: string, at: Place, where: string): SourceFile | undefined {
    const content = textOfFile(this.#read(path));
    const name = this.#nameOf(path);
    if ("fault" in content) return this.#complain(at, where, `${name} ${content.fault}`);
    return { name, path, text: content.text };
  }

  #include(root: MapNode, project: Project, chain: readonly string[]): MapNode {
    const node = written(get(root, "include"));
    let merged = withoutEntry(root, "include");
    if (node === undefined) return merged;
    if (node.kind !== "list") {
      this.#complain(node.at, "include", "wants a list of files");
      return merged;
    }
    for (const [at, item] of node.items.entries()) {
      const included = this.#included(item, `include[${at}]`, project, chain);
      if (included !== undefined) merged = this.#copied(merged, included, item);
    }
    return merged;
  }

  #included(item: ComposeNode, where: string, project: Project, chain: readonly string[]): MapNode | undefined {
    const { home, names, directory: given, envFiles } = this.#readInclude(item, where, project);
    const paths = names.map((name) => absolutePath(name, project.directory, home));
    const remote = names.find(isRemote);
    if (remote !== undefined)
      return this.#complain(item.at, where, `'${remote}' is remote: download it and name the file`);
    const circle = paths.find((path) => chain.includes(path));
    if (circle !== undefined)
      return this.#complain(item.at, where, `${this.#nameOf(circle)} includes itself, directly or through others`);
    if (chain.length > MAX_INCLUDE_DEPTH)
      return this.#complain(item.at, where, `files include each other more than ${MAX_INCLUDE_DEPTH} deep`);
    const [first] = paths;
    if (first === undefined) return this.#complain(item.at, where, "lacks path, the file to include");
    const files = paths.flatMap((path) => this.#file(path, item.at, where) ?? []);
    const directory = given === undefined ? posix.dirname(first) : absolutePath(given, project.directory, home);
    const variables = this.#variables(item, where, project, directory, envFiles);
    const root = this.assemble(files, { directory, variables }, chain);
    return root === undefined ? undefined : rebaseFile(root, directory, project.directory);
  }

  #readInclude(item: ComposeNode, where: string, project: Project) {
    const texts = (node: ComposeNode | undefined): readonly string[] => {
      const items = node?.kind === "list" ? node.items : [written(node)];
      return items.flatMap((text) => (text?.kind === "scalar" ? [text.text] : []));
    };
    const map = item.kind === "map" ? item : undefined;
    for (const [key, { keyAt }] of map?.entries ?? [])
      if (!keysAt("include").has(key) && !key.startsWith("x-"))
        this.#complain(keyAt, `${where}.${key}`, "is not a key here; known: path, project_directory, env_file");
    const envFiles = written(get(map, "env_file"));
    return {
      home: project.variables.values["HOME"],
      names: texts(map === undefined ? item : get(map, "path")),
      directory: texts(get(map, "project_directory"))[0],
      envFiles: envFiles === undefined ? undefined : texts(envFiles),
    };
  }

  /** Those of the including project go before those of the included files. */
  #variables(
    item: ComposeNode,
    where: string,
    project: Project,
    directory: string,
    given: readonly string[] | undefined,
  ): Variables {
    const values: Record<string, string> = {};
    const origins: Record<string, string> = {};
    const paths = given?.map((name) => absolutePath(name, project.directory, project.variables.values["HOME"])) ?? [
      posix.join(directory, ".env"),
    ];
    for (const path of paths) {
      const content = this.#read(path);
      if (content.kind === "missing" && given === undefined) continue;
      const read = textOfFile(content);
      const name = this.#nameOf(path);
      if ("fault" in read) {
        this.#complain(item.at, `${where}.env_file`, `${name} ${read.fault}`);
        continue;
      }
      const parsed = parseEnvFile(read.text, { ...values, ...project.variables.values });
      for (const { line, message } of parsed.problems) this.#complain({ file: name, line, column: 1 }, "", message);
      for (const [variable, value] of Object.entries(parsed.values)) {
        values[variable] = value;
        origins[variable] = name;
      }
    }
    return {
      values: { ...values, ...project.variables.values },
      origins: { ...origins, ...project.variables.origins },
    };
  }

  /** Everything of an included file into the including one. What is in both must mean the same. */
  #copied(root: MapNode, included: MapNode, item: ComposeNode): MapNode {
    let merged = root;
    for (const section of ["services", "networks", "volumes", "configs", "secrets"]) {
      const theirs = get(included, section);
      if (theirs?.kind !== "map") continue;
      const ours = get(merged, section);
      const entries = new Map(ours?.kind === "map" ? ours.entries : []);
      for (const [name, entry] of theirs.entries) {
        const own = entries.get(name);
        if (own === undefined) entries.set(name, entry);
        else if (meaning(own.node) !== meaning(entry.node))
          this.#complain(
            own.keyAt,
            `${section}.${name}`,
            `is also in ${entry.keyAt.file}, which is included at line ${item.at.line}: rename one, or merge the files with several -f`,
          );
      }
      merged = withEntry(merged, section, { kind: "map", at: ours?.at ?? theirs.at, entries });
    }
    return merged;
  }

  /** Services that extend a large one share its tree, but each is read on its own. */
  #checkSize(root: MapNode): void {
    let left = MAX_STACK_NODES;
    const count = (node: ComposeNode): void => {
      left -= 1;
      if (left < 0) return;
      if (node.kind === "list") node.items.forEach(count);
      if (node.kind === "map") for (const entry of node.entries.values()) count(entry.node);
    };
    count(root);
    if (left < 0)
      this.#complain(
        root.at,
        "",
        `the stack grows to more than ${MAX_STACK_NODES} values when its files are put together`,
      );
  }

  #complain(at: Place, path: string, message: string): undefined {
    this.#to.problems.push({ at, path, message });
  }
}

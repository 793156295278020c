/**
 * Projects of users, in temporary folders: the package is installed in them from its tarball.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { pack, type Package } from "../../tools/pack.ts";
import { ROOT } from "../../tools/_deno.ts";
import { within } from "../fault/real_time.ts";

/** How long a program may take: an install loads from the network. */
const PATIENCE = 180_000;

/** The tools of users, in the versions that are tested. */
export const TOOLS = {
  "bun": "1.4.5",
  "types-node-22": "npm:@types/node@22.20.5",
  "types-node-26": "npm:@types/node@26.6.6",
  "typescript": "7.0.2",
  "typescript-5.5": "npm:typescript@5.5.4",
  "vite": "8.3.8",
};

/** A folder of its own for what tests need, with the package in it. */
export class Workshop implements AsyncDisposable {
  /** The folder. */
  readonly folder: string;
  /** The package. */
  readonly packed: Package;
  #tools: Promise<string> | undefined = undefined;

  private constructor(folder: string, packed: Package) {
    this.folder = folder;
    this.packed = packed;
  }

  /** Packs the package. */
  static async open(): Promise<Workshop> {
    const folder = await Deno.makeTempDir({ prefix: "package-" });
    return new Workshop(folder, await pack(ROOT, folder));
  }

  /** Makes a project: files by their paths. */
  async project(name: string, files: Record<string, string>): Promise<Project> {
    const project = new Project(join(this.folder, name));
    for (const [path, text] of Object.entries(files)) await project.write(path, text);
    return project;
  }

  /** Installs the package by npm. */
  async install(project: Project): Promise<void> {
    await project.run("npm", ["install", "--no-audit", "--no-fund", this.packed.file]);
  }

  /** The folder of the programs that users have: bun, vite. It is filled when it is first asked for. */
  async tools(): Promise<string> {
    this.#tools ??= this.#installTools();
    return await this.#tools;
  }

  async #installTools(): Promise<string> {
    const project = await this.project("tools", {
      "package.json": JSON.stringify({ private: true, dependencies: TOOLS }),
    });
    await project.run("npm", ["install", "--no-audit", "--no-fund"]);
    return join(project.folder, "node_modules", ".bin");
  }

  /** Removes all of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** The folder of a user. */
export class Project {
  /** Where it is. */
  readonly folder: string;

  /** Names one that is there, or will be. */
  constructor(folder: string) {
    this.folder = folder;
  }

  /** Writes a file. */
  async write(path: string, text: string): Promise<void> {
    const file = join(this.folder, path);
    await Deno.mkdir(dirname(file), { recursive: true });
    await Deno.writeTextFile(file, text);
  }

  /** Runs a program here and gives what it printed; what fails is thrown with it. */
  async run(command: string, args: string[], env: Record<string, string> = {}): Promise<string> {
    const child = new Deno.Command(command, {
      args,
      cwd: this.folder,
      env: { NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const said = `${command} ${args.join(" ")}`;
    const output = child.output();
    try {
      const { success, stdout, stderr } = await within(output, PATIENCE, () => {
        return `"${said}" does not end`;
      });
      const text = new TextDecoder();
      const [printed, failed] = [text.decode(stdout), text.decode(stderr)];
      if (!success) throw new Error(`"${said}" failed:\n${printed}${failed}`);
      return printed;
    } finally {
      await end(child, output);
    }
  }
}

/** Ends what has not ended itself. */
async function end(child: Deno.ChildProcess, output: Promise<unknown>): Promise<void> {
  try {
    child.kill("SIGKILL");
  } catch {
    return; // It has.
  }
  await output;
}

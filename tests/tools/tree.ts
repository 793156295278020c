/** A small repository in a temporary folder, for a tool to judge. */

/** Its files: path to text. */
export type Tree = Record<string, string>;

/** Writes `tree` to a folder, gives its path to `use` and removes it again. */
export async function withTree<T>(tree: Tree, use: (root: string) => Promise<T>): Promise<T> {
  const root = await Deno.makeTempDir({ prefix: "tree-" });
  try {
    for (const [path, text] of Object.entries(tree)) {
      const folder = `${root}/${path}`.replace(/\/[^/]*$/, "");
      await Deno.mkdir(folder, { recursive: true });
      await Deno.writeTextFile(`${root}/${path}`, text);
    }
    return await use(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** A deno.json that exports `files`, each under its own name. */
export function config(...files: string[]): string {
  const exports = Object.fromEntries(
    files.map((file) => [`./${file.replace(".ts", "")}`, `./${file}`]),
  );
  return JSON.stringify({ name: "@example/tree", version: "1.0.0", exports });
}

import { assertEquals } from "@std/assert";
import { config, withTree } from "./tree.ts";

const SCRIPT = new URL("../../.ci/run", import.meta.url);
const CONFIG = new URL("../../deno.json", import.meta.url);

/** What .ci/run installs where it is missing. */
const PROGRAMS = [
  ...["curl", "nginx", "redis-server", "nats-server", "chromium", "firefox-esr"],
  ...["haproxy", "caddy", "apache2", "openssl", "zsh", "fish"],
];

/** Runs .ci/run with a stand-in for npx, in which each task does what `tasks` says. */
async function run(tasks: Record<string, string>): Promise<{ code: number; last: string }> {
  const cases = Object.entries(tasks).map(([task, body]) => `${task}) ${body} ;;`);
  const tree = {
    "deno.json": config("mod.ts"),
    ".ci/run": await Deno.readTextFile(SCRIPT),
    // npx --yes deno@version task <name>
    "bin/npx": `#!/bin/bash\ncase "$4" in\n${cases.join("\n")}\nesac\n`,
    // Nothing is to be installed.
    ...Object.fromEntries(PROGRAMS.map((name) => [`bin/${name}`, "#!/bin/bash\n"])),
  };
  return await withTree(tree, async (root) => {
    for (const name of ["npx", ...PROGRAMS]) await Deno.chmod(`${root}/bin/${name}`, 0o755);
    const env = { PATH: `${root}/bin:${Deno.env.get("PATH")}` };
    const { code, stdout } = await new Deno.Command("bash", { args: [`${root}/.ci/run`], env })
      .output();
    return { code, last: new TextDecoder().decode(stdout).trimEnd().split("\n").at(-1) ?? "" };
  });
}

const GREEN = `echo "ok | 12 passed (3 steps) | 0 failed (3s)"`;

Deno.test(".ci/run ends with the totals of the tests, each counted once", async () => {
  const result = await run({ test: GREEN, coverage: GREEN });
  assertEquals(result, { code: 0, last: "12 passed, 0 failed" });
});

Deno.test(".ci/run reads coloured totals and fails with the tests", async () => {
  const red = String
    .raw`printf '\e[31mFAILED\e[0m | 3 passed (1 step) | 2 failed (1 step) (5ms)\n'`;
  const result = await run({ test: `${red}; exit 1` });
  assertEquals(result, { code: 1, last: "3 passed, 2 failed" });
});

for (const task of ["ok", "coverage", "demo"]) {
  Deno.test(`.ci/run fails when ${task} does, and still runs the tests`, async () => {
    const result = await run({ test: GREEN, [task]: "exit 1" });
    assertEquals(result, { code: 1, last: "12 passed, 0 failed" });
  });
}

Deno.test(".ci/run fails when no test ran", async () => {
  assertEquals(await run({}), { code: 1, last: "0 passed, 0 failed" });
});

Deno.test("deno task ok runs every check", async () => {
  const { tasks }: { tasks: Record<string, string> } = JSON.parse(await Deno.readTextFile(CONFIG));
  const steps = tasks.ok.split(" && ");
  const checks = Object.keys(tasks).filter((name) => name.startsWith("check"));
  assertEquals(checks.filter((name) => !steps.includes(`deno task ${name}`)), []);
});

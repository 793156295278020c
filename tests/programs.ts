/**
 * Programs that tests start, where they are installed.
 *
 * @module
 */

/**
 * Whether a program is there. If not it says so; in CI, where all must run, it throws.
 *
 * @param name Its command.
 * @param args Arguments with which it ends at once.
 * @param remedy How to install it.
 */
export async function requireProgram(
  name: string,
  args: string[],
  remedy: string,
): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(name, { args, stdout: "null", stderr: "null" })
      .output();
    if (success) return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const reason = `Cannot run the tests of ${name}: it is not installed: ${remedy}`;
  if (Deno.env.get("CI") !== undefined) throw new Error(reason);
  console.warn(reason);
  return false;
}

/**
 * The suites in Firefox. It is given the page and nothing else: the drivers there are speak to the
 * newest Firefox only, and the page tells all by itself.
 *
 * @module
 */

import { join } from "node:path";
import { browserRunner, type OpenBrowser } from "./browser_page.ts";
import type { Runner } from "./runner.ts";

/** Where Firefox may be. */
export const FIREFOX: readonly string[] = ["/usr/bin/firefox-esr", "/usr/bin/firefox"];

/** What a new profile says, by name. */
export type FirefoxPreferences = Readonly<Record<string, string | number | boolean>>;

const PREFERENCES: FirefoxPreferences = {
  // Whatever is not on loopback goes to a proxy that is not there, so that nothing can leave the
  // machine: Firefox asks for updates, settings, experiments and more by itself.
  "network.proxy.type": 1,
  "network.proxy.http": "127.0.0.1",
  "network.proxy.http_port": 9,
  "network.proxy.ssl": "127.0.0.1",
  "network.proxy.ssl_port": 9,
  "network.proxy.allow_bypass": false,
  "network.proxy.failover_direct": false,
  "network.trr.mode": 5,
  "network.dns.disablePrefetch": true,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,none",
  "app.normandy.enabled": false,
  "app.update.disabledForTesting": true,
  "browser.region.network.url": "",
  "browser.safebrowsing.update.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "dom.push.connection.enabled": false,
  "extensions.update.enabled": false,
  "toolkit.telemetry.enabled": false,
  // No page but ours.
  "browser.aboutwelcome.enabled": false,
  "browser.preonboarding.enabled": false,
  "browser.sessionstore.resume_from_crash": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.page": 0,
  "browser.newtabpage.enabled": false,
  "browser.tabs.warnOnClose": false,
  "datareporting.policy.firstRunURL": "",
  "termsofuse.bypassNotification": true,
};

/** How long it may take to leave by itself, in ms. */
const PATIENCE = 3_000;

/** The runner of Firefox. */
export const runners: readonly Runner[] = [browserRunner({
  name: "Firefox",
  paths: FIREFOX,
  remedy: "install it with apt-get install firefox-esr",
  launch,
})];

async function launch(path: string, url: string, profile: string): Promise<OpenBrowser> {
  const version = await versionOf(path);
  const { left, close } = await launchFirefox(path, url, profile);
  return { version, lost: left.then((code) => `Firefox has left with ${code}`), close };
}

/**
 * Opens a page in a Firefox of its own, with a new profile; what is given of preferences comes to ours.
 *
 * @returns What resolves with its exit code, and what ends it.
 */
export async function launchFirefox(
  path: string,
  url: string,
  profile: string,
  preferences: FirefoxPreferences = {},
): Promise<{ left: Promise<number>; close(): Promise<void> }> {
  const lines = Object.entries({ ...PREFERENCES, ...preferences })
    .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`);
  await Deno.writeTextFile(join(profile, "user.js"), lines.join(""));
  const args = ["--headless", "--new-instance", "--profile", profile, url];
  // Other folders of the user are not its business.
  const env = { HOME: profile, MOZ_CRASHREPORTER_DISABLE: "1" };
  const browser = new Deno.Command(path, {
    args,
    env,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return { left: browser.status.then(({ code }) => code), close: () => end(browser) };
}

async function versionOf(path: string): Promise<string> {
  const { stdout } = await new Deno.Command(path, { args: ["--version"], stderr: "null" }).output();
  return new TextDecoder().decode(stdout).replace("Mozilla Firefox", "").trim();
}

/** Ends it gently, for it has processes of its own, or else by force. */
async function end(browser: Deno.ChildProcess): Promise<void> {
  const kill = (signal: Deno.Signal) => {
    try {
      browser.kill(signal);
    } catch {
      // It has left already.
    }
  };
  kill("SIGTERM");
  const timer = setTimeout(() => kill("SIGKILL"), PATIENCE);
  await browser.status;
  clearTimeout(timer);
}

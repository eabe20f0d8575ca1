import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { run, say } from "./child.mjs";
import { SetupError } from "./error.mjs";

/** What we start as programs, and the Debian package that brings it. */
const PACKAGE_OF = { nginx: "nginx", "nats-server": "nats-server", ss: "iproute2" };

/** What the lab of real hosts is made with; only tests need it, and without it they say so. */
const LAB_PACKAGE_OF = {
  "systemd-nspawn": "systemd-container",
  "systemd-analyze": "systemd",
  mmdebstrap: "mmdebstrap",
  nft: "nftables",
};

/** What single benchmarks compare with. @type {Record<string, Record<string, string>>} */
const BENCH_PACKAGE_OF = {
  rollout: { "ansible-playbook": "ansible-core" },
  edge: { wrk: "wrk", openssl: "openssl" },
};

/** Packages that bring a service along, which Debian would start and enable at boot. We run our own processes. */
const SERVICE_OF = { nginx: "nginx.service", "nats-server": "nats-server.service" };

/** Older ones lack what the edge's configuration relies on; this is Debian 12's. */
const OLDEST_NGINX = /** @type {const} */ ([1, 22]);

/** A person's PATH often lacks these, and nginx lives there. */
const ADMIN_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** Asked by Debian's install scripts before they start a service; exit status 101 means "don't". */
const POLICY_FILE = "/usr/sbin/policy-rc.d";
const POLICY =
  "#!/bin/sh\n# Siding's set-up: services stay down while packages are installed. Safe to delete.\nexit 101\n";

/** How long apt waits for another apt, e.g. the daily update, to let go of dpkg's lock. */
const DPKG_LOCK_WAIT_S = 300;

/** @returns {string[]} names of Debian packages whose program isn't on this machine */
export function missingDebianPackages() {
  return missingOf(PACKAGE_OF);
}

/** Those that only the lab needs, where they can be installed at all. */
export function missingLabPackages() {
  const canInstall = process.getuid?.() === 0 && findProgram("apt-get") !== undefined;
  return canInstall ? missingOf(LAB_PACKAGE_OF) : [];
}

/**
 * Installs what this benchmark needs beside everything else.
 *
 * @param {string} bench
 */
export async function installForBench(bench) {
  const packageOf = BENCH_PACKAGE_OF[bench] ?? {};
  const missing = missingOf(packageOf);
  if (missing.length > 0) await installDebianPackages(missing);
}

/** @param {Record<string, string>} packageOf */
function missingOf(packageOf) {
  return Object.entries(packageOf)
    .filter(([program]) => findProgram(program) === undefined)
    .map(([, debianPackage]) => debianPackage);
}

/** @param {string[]} missing */
export async function installDebianPackages(missing) {
  const byHand = `apt-get install --no-install-recommends ${missing.join(" ")}`;
  if (findProgram("apt-get") === undefined) {
    throw new SetupError(
      `missing: ${missing.join(", ")}. This is not a Debian; install them and run this again.`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new SetupError(`missing: ${missing.join(", ")}. Installing them needs root: sudo ${byHand}`);
  }
  say(`installing ${missing.join(", ")} from Debian`);
  const code = await withServicesKeptDown(() => installOrRepair(missing));
  if (code !== 0)
    throw new SetupError(`could not install ${missing.join(", ")} (see above). By hand: ${byHand}`);
  disableServices(missing);
  const everything = [PACKAGE_OF, LAB_PACKAGE_OF, ...Object.values(BENCH_PACKAGE_OF)];
  const still = everything.flatMap(missingOf).filter((name) => missing.includes(name));
  if (still.length > 0) throw new SetupError(`still missing after the install: ${still.join(", ")}`);
  if (missing.includes(PACKAGE_OF.nginx)) assertNginxIsRecent();
}

/** What Debian's nginx has TCP from, and where that is then. An nginx that has it built in needs neither. */
const STREAM_PACKAGE = "libnginx-mod-stream";
const STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so";

/** Installs nginx's TCP part, for the tests of TCP services: they say so where it is missing. */
export async function installStreamModuleIfEasy() {
  if (existsSync(STREAM_MODULE) || !lacksStreamModule()) return;
  await installIfEasy(STREAM_PACKAGE, "the tests of TCP services will be skipped");
}

function lacksStreamModule() {
  const { stderr } = spawnSync(findProgram("nginx") ?? "nginx", ["-V"], { encoding: "utf8" });
  return /--with-stream=dynamic/.test(stderr ?? "");
}

/** The browser that the tests look at the fleet's page with. */
const BROWSER = "chromium";

/**
 * Installs a browser where that is easy. Nothing but one test needs it, and that one says when it is left out: so
 * whatever stands in the way here is said and no more.
 */
export async function installBrowserIfEasy() {
  if (findProgram(BROWSER) === undefined)
    await installIfEasy(BROWSER, "the test of the page will be skipped");
}

/**
 * @param {string} debianPackage
 * @param {string} otherwise what follows where it can't be installed
 */
async function installIfEasy(debianPackage, otherwise) {
  if (findProgram("apt-get") === undefined || process.getuid?.() !== 0) {
    return say(`no ${debianPackage}: ${otherwise}`);
  }
  say(`installing ${debianPackage} from Debian`);
  const code = await withServicesKeptDown(() => installOrRepair([debianPackage]));
  if (code !== 0) say(`could not install ${debianPackage}: ${otherwise}`);
}

/**
 * First as it is; if that fails, the package lists may be absent or old, or an earlier install was cut short.
 *
 * @param {string[]} packages
 */
async function installOrRepair(packages) {
  if ((await aptInstall(packages)) === 0) return 0;
  say("that failed; repairing dpkg and refreshing the package lists, then once more");
  await runQuietly("dpkg", ["--configure", "-a"]);
  await runQuietly("apt-get", [...lockWait(), "-qq", "update"]);
  return aptInstall(packages);
}

/** @param {string[]} packages */
function aptInstall(packages) {
  const how = ["-qq", "-o", "Dpkg::Use-Pty=0", "--yes", "--no-install-recommends"];
  return runQuietly("apt-get", [...lockWait(), ...how, "install", ...packages]);
}

function lockWait() {
  return ["-o", `DPkg::Lock::Timeout=${DPKG_LOCK_WAIT_S}`];
}

/**
 * A dpkg cut short leaves the machine, not only this checkout, in need of repair: so it is left to finish.
 *
 * @param {string} command
 * @param {string[]} args
 */
function runQuietly(command, args) {
  const env = { ...process.env, PATH: searchPath().join(delimiter), DEBIAN_FRONTEND: "noninteractive" };
  return run(command, args, { env, onStop: "finish" });
}

/**
 * @param {() => Promise<number>} action
 * @returns {Promise<number>}
 */
async function withServicesKeptDown(action) {
  const mayWrite = !existsSync(POLICY_FILE) || isOurPolicy();
  if (mayWrite) writeFileSync(POLICY_FILE, POLICY, { mode: 0o755 });
  try {
    return await action();
  } finally {
    if (mayWrite) rmSync(POLICY_FILE, { force: true });
  }
}

/** Left by a set-up that was killed while it installed. */
function isOurPolicy() {
  return readFileSync(POLICY_FILE, "utf8") === POLICY;
}

/** @param {string[]} installed */
function disableServices(installed) {
  const units = Object.entries(SERVICE_OF)
    .filter(([debianPackage]) => installed.includes(debianPackage))
    .map(([, unit]) => unit);
  if (units.length === 0 || findProgram("systemctl") === undefined) return;
  const outcome = spawnSync("systemctl", ["disable", ...units], { encoding: "utf8" });
  if (outcome.status === 0) return;
  say(`could not keep ${units.join(", ")} from starting at boot: ${(outcome.stderr ?? "").trim()}`);
}

function assertNginxIsRecent() {
  const said = spawnSync(findProgram("nginx") ?? "nginx", ["-v"], { encoding: "utf8" }).stderr;
  const [, major, minor] = /nginx\/(\d+)\.(\d+)/.exec(said) ?? [];
  const [oldestMajor, oldestMinor] = OLDEST_NGINX;
  const recent =
    Number(major) > oldestMajor || (Number(major) === oldestMajor && Number(minor) >= oldestMinor);
  if (!recent)
    throw new SetupError(`nginx ${OLDEST_NGINX.join(".")} or newer is needed; this is: ${said.trim()}`);
}

/**
 * @param {string} program
 * @returns {string | undefined}
 */
function findProgram(program) {
  return searchPath()
    .map((folder) => join(folder, program))
    .find(isExecutable);
}

function searchPath() {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...folders, ...ADMIN_FOLDERS.filter((folder) => !folders.includes(folder))];
}

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

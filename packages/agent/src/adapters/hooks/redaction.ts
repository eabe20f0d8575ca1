import { stripVTControlCharacters } from "node:util";

/** Shorter ones (`1`, `on`) would black out half of every output, and hide nothing. */
const shortestSecret = 4;
const mask = "***";

/** Variables of the spec are no secrets, but people put them there: their names say so. */
const secretName = /pass|secret|token|key|credential|auth|cookie|private|dsn|url|uri/i;

/** What must not be seen: every value of the host's own file, and those of the spec whose name sounds like one. */
export function secretsIn(
  file: NodeJS.Dict<string>,
  spec: Readonly<Record<string, string>>,
): readonly string[] {
  const named = Object.entries(spec).flatMap(([name, value]) => (secretName.test(name) ? [value] : []));
  const values = [...Object.values(file), ...named].flatMap((value) =>
    value ? [value, ...partsOf(value)] : [],
  );
  const lines = values.flatMap((value) => value.split("\n").map((line) => line.trim()));
  const secrets = [...new Set([...values, ...lines])].filter((value) => value.length >= shortestSecret);
  // The longest first, else a part would leave the rest of it to be seen.
  return secrets.sort((left, right) => right.length - left.length);
}

/** A program that is given a URL says its password without the rest. */
function partsOf(value: string): readonly string[] {
  const password = URL.canParse(value) ? new URL(value).password : "";
  if (password === "") return [];
  const plain = decodeOrNull(password);
  return plain === null ? [password] : [password, plain];
}

function decodeOrNull(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** The text as it may be shown: without secrets, and without what a terminal would obey. */
export function redacted(text: string, secrets: readonly string[]): string {
  const masked = secrets.reduce((left, secret) => left.replaceAll(secret, mask), text);
  return stripVTControlCharacters(masked)
    .replaceAll(/\r\n?/g, "\n")
    .replaceAll(/[^\P{Cc}\n\t]/gu, "");
}

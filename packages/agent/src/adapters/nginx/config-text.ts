export const banner = "# Written by the Siding agent; changes made here are lost.";

/** Never the limit: the user's own nginx has the timeouts. */
export const never = "30d";
export function lines(...parts: readonly (string | null)[]): string {
  const text = parts.filter((part) => part !== null).join("\n");
  return text.endsWith("\n") ? text : `${text}\n`;
}

export function indent(text: string): string {
  return text.trimEnd().replace(/^(?=.)/gm, "    ");
}

import packageJson from "../package.json" with { type: "json" };

/** Of this control plane, as its package says. */
export const version: string = packageJson.version;

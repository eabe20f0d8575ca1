import type { StepFailure } from "@siding/shared/report";
import { messageOf } from "@siding/shared/result";

/** Where a folder takes no more: what stands in the way, and what a person does about it. */
const troubles: Readonly<Record<string, readonly [code: string, why: string, remedy: string]>> = {
  ENOSPC: ["disk-full", "no space left in", "make room there"],
  EDQUOT: ["disk-full", "the quota is used up in", "make room there"],
  EROFS: ["folder-read-only", "the file system is mounted read-only:", "mount it read-write"],
  EACCES: ["folder-not-writable", "the agent may not write to", "give its user the right to"],
  EPERM: ["folder-not-writable", "the agent may not write to", "give its user the right to"],
};

/** Something that could not be written to `folder`; null where that is not what went wrong. */
export function storageTrouble(cause: unknown, folder: string): StepFailure | null {
  const trouble = troubles[(cause as NodeJS.ErrnoException | null)?.code ?? ""];
  if (trouble === undefined) return null;
  const [code, why, remedy] = trouble;
  return { code, message: `${why} ${folder}: ${remedy}` };
}

/** The same of a release: nobody tries that again by himself. */
export function storageFailure(cause: unknown, folder: string): StepFailure | null {
  const trouble = storageTrouble(cause, folder);
  return trouble && { ...trouble, message: `${trouble.message}, then roll out again (${messageOf(cause)})` };
}

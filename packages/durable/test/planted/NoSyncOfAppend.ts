import { withoutSync } from "./WithoutSync.ts"

/** What was appended is answered for before it is on the disk. */
export const noSyncOfAppend = withoutSync("afterwards")

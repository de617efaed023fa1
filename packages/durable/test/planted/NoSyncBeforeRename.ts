import { withoutSync } from "./WithoutSync.ts"

/** A new file takes the old one's place before its bytes are on the disk. */
export const noSyncBeforeRename = withoutSync("before rename")

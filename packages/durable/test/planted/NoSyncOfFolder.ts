import { Effect } from "effect"
import type { Plant } from "../ModelFileSystem.ts"

/** Which names a folder holds is left to chance. */
export const noSyncOfFolder: Plant = (files) => ({ ...files, syncFolder: () => Effect.void })

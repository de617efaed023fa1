import { Effect } from "effect"
import type { Plant } from "../ModelFileSystem.ts"

/** Files are not synced while they still have the name that they were made by (`NAME.new`), or once they have their own. */
export const withoutSync = (which: "before rename" | "afterwards"): Plant => (files) => {
  const renamed = new Set<string>()
  return {
    ...files,
    create: (path) =>
      Effect.map(files.create(path), (file) => {
        renamed.delete(path)
        const isLeftOut = () => (!path.endsWith(".new") || renamed.has(path)) === (which === "afterwards")
        return {
          append: file.append,
          sync: Effect.suspend(() => isLeftOut() ? Effect.void : file.sync),
          appendDurably: (bytes) => Effect.suspend(() => isLeftOut() ? file.append(bytes) : file.appendDurably(bytes))
        }
      }),
    rename: (from, to) => Effect.tap(files.rename(from, to), () => Effect.sync(() => renamed.add(from)))
  }
}

import type { GrowingFile } from "@felhom/domain/port/FileSteps"
import { Effect } from "effect"
import type { Plant } from "../ModelFileSystem.ts"

/** A start goes on at the end of the file that it finds, whatever a crash has left there. */
export const noRewriteOnOpen: Plant = (files, existing) => {
  const open = new Map<string, number>()
  const goneOnWith = new Set<string>()
  return {
    ...files,
    create: (path) =>
      Effect.gen(function*() {
        const final = path.replace(/\.new$/, "")
        const there = final === path || (open.get(final) ?? 0) > 0 ? undefined : existing(final)
        yield* Effect.acquireRelease(
          Effect.sync(() => open.set(final, (open.get(final) ?? 0) + 1)),
          () => Effect.sync(() => open.set(final, (open.get(final) ?? 1) - 1))
        )
        if (there === undefined) return yield* files.create(path)
        goneOnWith.add(path)
        const instead = (real: Effect.Effect.Success<ReturnType<typeof files.create>>): GrowingFile => ({
          append: (bytes) => (goneOnWith.has(path) ? Effect.void : real.append(bytes)),
          sync: Effect.suspend(() => (goneOnWith.has(path) ? Effect.void : real.sync)),
          appendDurably: (bytes) => (goneOnWith.has(path) ? Effect.void : real.appendDurably(bytes))
        })
        return instead(there)
      }),
    rename: (from, to) => Effect.suspend(() => (goneOnWith.delete(from) ? Effect.void : files.rename(from, to)))
  }
}

import { FileSystem } from "@effect/platform"
import { Effect } from "effect"

/**
 * Copies the state of an agent that goes on writing; not what it is about to put in a file's place, which is gone in the next
 * moment.
 */
export const copyOfLiving = (from: string, to: string) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    yield* fs.makeDirectory(to)
    for (const name of yield* fs.readDirectory(from)) {
      if (!/\.(?:new|tmp)$/.test(name)) yield* fs.copy(`${from}/${name}`, `${to}/${name}`)
    }
  })

import type { DurableFileError } from "@felhom/domain/port/DurableFile"
import { FileSteps } from "@felhom/domain/port/FileSteps"
import { Effect, Option } from "effect"

/** New operations are refused when less than this is free, so that those under way can be written to their end. Bytes. */
export const leastFree: number = 16 * 1024 * 1024

/** How much is set aside for a start on a full disk. Bytes. */
export const reserveSize: number = 4 * 1024 * 1024

const pathOf = (directory: string): string => `${directory}/reserve`

// Random-looking, as a file system that compresses or stores no zeros would set nothing aside.
const filler = (): Uint8Array => {
  const bytes = new Uint8Array(reserveSize)
  const words = new Uint32Array(bytes.buffer)
  let state = 0x9e3779b9
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  return bytes
}

/**
 * Sets space aside in the folder, if it is not already and there is enough left. That it could not be is no reason to stop: it
 * is logged, and tried again at the next start.
 */
export const setAside = (directory: string): Effect.Effect<void, never, FileSteps> =>
  Effect.gen(function*() {
    const files = yield* FileSteps
    const held = yield* files.read(pathOf(directory))
    if (Option.exists(held, (bytes) => bytes.length === reserveSize)) return
    if ((yield* files.freeBytes(directory)) < leastFree + reserveSize) return
    const file = yield* files.create(pathOf(directory))
    yield* file.append(filler())
    yield* file.sync
  }).pipe(
    Effect.scoped,
    Effect.catchAll((error) => Effect.logWarning("no space could be set aside for a full disk", error.message))
  )

/** Gives the space back to a disk that is full. */
export const giveUp = (directory: string): Effect.Effect<void, DurableFileError, FileSteps> =>
  Effect.flatMap(FileSteps, (files) => Effect.zipRight(files.remove(pathOf(directory)), files.syncFolder(directory)))

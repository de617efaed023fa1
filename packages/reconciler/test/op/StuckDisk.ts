import { FileSteps } from "@felhom/domain/port/FileSteps"
import { Context, Effect, Layer } from "effect"
import type { Model } from "../../../durable/test/ModelFileSystem.ts"

/** A disk on which every step from this one on never ends. */
export const stuckFrom = (model: Model, step: number): Layer.Layer<FileSteps> =>
  Layer.map(model.layer, (context) => {
    const files = Context.get(context, FileSteps)
    const gate = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.suspend(() => (model.steps() >= step ? Effect.never : effect))
    return Context.make(FileSteps, {
      read: (path) => gate(files.read(path)),
      makeFolder: (path) => gate(files.makeFolder(path)),
      create: (path) =>
        Effect.map(gate(files.create(path)), (file) => ({
          append: (bytes: Uint8Array) => gate(file.append(bytes)),
          sync: gate(file.sync),
          appendDurably: (bytes: Uint8Array) => gate(file.appendDurably(bytes))
        })),
      rename: (from, to) => gate(files.rename(from, to)),
      remove: (path) => gate(files.remove(path)),
      syncFolder: (path) => gate(files.syncFolder(path)),
      freeBytes: (path) => gate(files.freeBytes(path))
    })
  })

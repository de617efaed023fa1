import { InstanceLock } from "@felhom/domain/port/InstanceLock"
import { Effect, Layer, Schema } from "effect"
import { DataFolder, makeFolder } from "./DataFolder.ts"

/** Another hub serves this folder, or it could not be found out. */
export class ServeLockError extends Schema.TaggedError<ServeLockError>()("ServeLockError", {
  reason: Schema.Literal("held", "unwritable"),
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return this.reason === "held"
      ? `another hub serves the folder ${this.path} (${this.detail}); stop that one, or name another folder (--data, FELHOM_HUB_DATA)`
      : `cannot lock the folder ${this.path}: ${this.detail}; name a folder that the hub's user can write (--data, FELHOM_HUB_DATA)`
  }
}

/**
 * One `serve` on a data folder at a time: what two of them remember (challenges, rates, twins) would not add up. Programs that
 * only read or write the store, such as `token create`, need no lock.
 */
export const layer: Layer.Layer<never, ServeLockError, DataFolder | InstanceLock> = Layer.scopedDiscard(
  Effect.gen(function*() {
    const { path } = yield* DataFolder
    const lock = yield* InstanceLock
    const failed = (reason: ServeLockError["reason"]) => (detail: string) =>
      new ServeLockError({ reason, path, detail })
    yield* Effect.try({
      try: () => makeFolder(path),
      catch: (cause) => failed("unwritable")(cause instanceof Error ? cause.message : String(cause))
    })
    yield* Effect.mapError(lock.acquire(path), ({ detail, reason }) => failed(reason)(detail))
  })
).pipe(Layer.ensureRequirementsType<DataFolder | InstanceLock>())

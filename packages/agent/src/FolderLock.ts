import { DurableFile, DurableFileError } from "@felhom/domain/port/DurableFile"
import { InstanceLock, type InstanceLockError } from "@felhom/domain/port/InstanceLock"
import { Context, Effect, Layer, Ref, Scope } from "effect"

/**
 * The lock of the state folder, held before anything is written there.
 *
 * On a disk that is full or read-only no lock can be placed, and an agent whose disk fails is one to hear from: it starts
 * without, goes on from memory, and takes the lock before the first write that the disk takes again. A folder that another
 * daemon holds stops the start.
 */
export class FolderLock extends Context.Tag("felhom/agent/FolderLock")<FolderLock, {
  /** Done once the lock is held; tries to take it if it is not. */
  readonly ensure: Effect.Effect<void, InstanceLockError>
}>() {}

const make = (directory: string) =>
  Effect.gen(function*() {
    const lock = yield* InstanceLock
    const scope = yield* Effect.scope
    const held = yield* Ref.make(false)
    const turn = yield* Effect.makeSemaphore(1)
    const ensure = Ref.get(held).pipe(
      Effect.flatMap((already) =>
        already ? Effect.void : Scope.extend(lock.acquire(directory), scope).pipe(Effect.zipRight(Ref.set(held, true)))
      ),
      Effect.uninterruptible,
      turn.withPermits(1)
    )
    yield* Effect.catchIf(
      ensure,
      ({ reason }) => reason === "unwritable",
      (error) => Effect.logError("the agent starts without the lock of its state folder", error.message)
    )
    return FolderLock.of({ ensure })
  })

export const layer = (directory: string): Layer.Layer<FolderLock, InstanceLockError, InstanceLock> =>
  Layer.scoped(FolderLock, make(directory)).pipe(Layer.ensureRequirementsType<InstanceLock>())

/** Files that are written under the lock only, and read without. */
export const lockedFiles: Layer.Layer<DurableFile, never, DurableFile | FolderLock> = Layer.effect(
  DurableFile,
  Effect.gen(function*() {
    const files = yield* DurableFile
    const { ensure } = yield* FolderLock
    return DurableFile.of({
      read: files.read,
      replace: (path, content) =>
        Effect.zipRight(
          Effect.mapError(
            ensure,
            ({ code, detail, message, reason }) =>
              new DurableFileError({
                operation: "replace",
                path,
                code,
                detail: reason === "held" ? message : `its folder can't be locked first: ${detail}`
              })
          ),
          files.replace(path, content)
        )
    })
  })
).pipe(Layer.ensureRequirementsType<DurableFile | FolderLock>())

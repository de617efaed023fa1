import { DurableFile, DurableFileError } from "@felhom/domain/port/DurableFile"
import { InstanceLock, type InstanceLockError } from "@felhom/domain/port/InstanceLock"
import { Context, Effect, Layer, Scope } from "effect"

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

/** Takes the lock, if it can be placed; it is given back with the scope. */
export const make = (
  directory: string,
  lock: Context.Tag.Service<InstanceLock>
): Effect.Effect<Context.Tag.Service<FolderLock>, InstanceLockError, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const turn = yield* Effect.makeSemaphore(1)
    let held = false
    const take = Effect.suspend(() =>
      held ? Effect.void : Effect.map(Scope.extend(lock.acquire(directory), scope), () => {
        held = true
      })
    ).pipe(Effect.uninterruptible, turn.withPermits(1))
    const ensure = Effect.suspend(() => (held ? Effect.void : take))
    yield* Effect.catchIf(
      ensure,
      ({ reason }) => reason === "unwritable",
      (error) => Effect.logError("the agent starts without the lock of its state folder", error.message)
    )
    return FolderLock.of({ ensure })
  })

export const layer = (directory: string): Layer.Layer<FolderLock, InstanceLockError, InstanceLock> =>
  Layer.scoped(FolderLock, Effect.flatMap(InstanceLock, (lock) => make(directory, lock))).pipe(
    Layer.ensureRequirementsType<InstanceLock>()
  )

/** Files that are written under the lock only, and read without. */
export const locked = (
  files: Context.Tag.Service<DurableFile>,
  { ensure }: Context.Tag.Service<FolderLock>
): Context.Tag.Service<DurableFile> => ({
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

export const lockedFiles: Layer.Layer<DurableFile, never, DurableFile | FolderLock> = Layer.effect(
  DurableFile,
  Effect.map(Effect.all([DurableFile, FolderLock]), ([files, lock]) => locked(files, lock))
).pipe(Layer.ensureRequirementsType<DurableFile | FolderLock>())

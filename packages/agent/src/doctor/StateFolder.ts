import { Context, Effect, Layer } from "effect"
import { constants } from "node:fs"
import { access, readFile, stat, statfs } from "node:fs/promises"
import { dirname } from "node:path"

/** Where the daemon keeps its state, as far as it can be told without writing there. */
export interface FolderCondition {
  /** The folder itself, or the nearest one above it that is there. */
  readonly looked: string
  readonly exists: boolean
  /** False also on a file system that is mounted read-only. */
  readonly writable: boolean
  /** Bytes that this user may still write. */
  readonly freeBytes: number
  /** `/dev/mapper/pve-root (ext4), mounted at /`; null where the kernel does not tell. */
  readonly fileSystem: string | null
}

/** Looks at a folder and the file system that it is on. Writes nothing. */
export class StateFolder extends Context.Tag("felhom/agent/doctor/StateFolder")<StateFolder, {
  readonly look: (directory: string) => Effect.Effect<FolderCondition, FolderUnreadable>
}>() {}

/** The folder could not be looked at. */
export interface FolderUnreadable {
  readonly message: string
}

const holds = <A>(attempt: () => Promise<A>): Effect.Effect<boolean> =>
  Effect.tryPromise(attempt).pipe(Effect.as(true), Effect.orElseSucceed(() => false))

const nearest = (directory: string): Effect.Effect<string> =>
  Effect.flatMap(
    holds(() => stat(directory)),
    (there) => there || directory === dirname(directory) ? Effect.succeed(directory) : nearest(dirname(directory))
  )

// In /proc/self/mounts a blank in a path is written \040; the last mount on a path is the one that is seen.
const mountOf = (mounts: string, path: string): string | null => {
  const lines = mounts.split("\n").flatMap((line) => {
    const [device = "", point = "", type = ""] = line.split(" ").map((part) => part.replaceAll("\\040", " "))
    const within = point === "/" || path === point || path.startsWith(`${point}/`)
    return point !== "" && within ? [{ device, point, type }] : []
  })
  const found = lines.reduce<(typeof lines)[number] | undefined>(
    (best, line) => (best === undefined || line.point.length >= best.point.length ? line : best),
    undefined
  )
  return found === undefined ? null : `${found.device} (${found.type}), mounted at ${found.point}`
}

const look = (directory: string): Effect.Effect<FolderCondition, FolderUnreadable> =>
  Effect.gen(function*() {
    const looked = yield* nearest(directory)
    const room = yield* Effect.tryPromise({
      try: () => statfs(looked),
      catch: (error): FolderUnreadable => ({
        message: `${looked}: ${error instanceof Error ? error.message : String(error)}`
      })
    })
    const mounts = yield* Effect.tryPromise(() => readFile("/proc/self/mounts", "utf8")).pipe(
      Effect.orElseSucceed(() => "")
    )
    return {
      looked,
      exists: looked === directory,
      writable: yield* holds(() => access(looked, constants.W_OK | constants.X_OK)),
      freeBytes: room.bavail * room.bsize,
      fileSystem: mountOf(mounts, looked)
    }
  })

export const layer: Layer.Layer<StateFolder> = Layer.succeed(StateFolder, { look })

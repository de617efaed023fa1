import { InstanceLock, InstanceLockError } from "@felhom/domain/port/InstanceLock"
import { Effect, Either, Layer, Schema } from "effect"
import { randomBytes } from "node:crypto"
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { mayBeAlive, ownIdentity, ProcessIdentity } from "./ProcessIdentity.ts"

// How it works. The folder holds files daemon.lock.1, daemon.lock.2 and so on; the one with the highest number counts. Whoever
// finds that one released, or its process dead, creates the next number, which only one can, and holds the lock if on a second
// look its number is still the highest. The highest file is never removed, so numbers only grow: a starter that was slow
// between its two looks meets either an existing file or a higher number, and never takes the lock from a living holder.
// Node has no flock, and a lock file that is removed and made again can be removed by one who read its predecessor.

const prefix = "daemon.lock."

const Released = Schema.Struct({ released: Schema.Literal(true) })
const Content = Schema.parseJson(Schema.Union(ProcessIdentity, Released))
const readContent = Schema.decodeUnknownEither(Content)
const encodeContent = Schema.encodeSync(Content)

type State = { readonly _tag: "free" } | { readonly _tag: "held"; readonly pid: number }

const free: State = { _tag: "free" }

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code

const fileOf = (directory: string, generation: number): string => join(directory, `${prefix}${generation}`)

const generations = async (directory: string): Promise<ReadonlyArray<number>> =>
  (await readdir(directory)).flatMap((name) => {
    const digits = name.startsWith(prefix) ? name.slice(prefix.length) : ""
    return /^[1-9]\d*$/.test(digits) ? [Number(digits)] : []
  })

const highest = async (directory: string): Promise<number> => Math.max(0, ...await generations(directory))

/** Undefined when the file is gone, because a higher number came. */
const stateOf = async (directory: string, generation: number): Promise<State | undefined> => {
  if (generation === 0) return free
  let text: string
  try {
    text = await readFile(fileOf(directory, generation), "utf8")
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined
    throw error
  }
  return Either.match(readContent(text), {
    // A lock appears with its whole content, so only a crash of the machine can have damaged it; nobody holds it any more.
    onLeft: () => free,
    onRight: (content) => "released" in content || !mayBeAlive(content) ? free : { _tag: "held", pid: content.pid }
  })
}

/** Puts a file in place whole: with `link` only if there is none yet, with `rename` over the one there is. */
const place = async (directory: string, generation: number, content: typeof Content.Type, how: typeof link) => {
  const draft = join(directory, `${prefix}draft.${process.pid}.${randomBytes(8).toString("hex")}`)
  try {
    await writeFile(draft, encodeContent(content), { mode: 0o600, flag: "wx" })
    await how(draft, fileOf(directory, generation))
  } finally {
    await rm(draft, { force: true })
  }
}

const removeBelow = async (directory: string, generation: number): Promise<void> => {
  for (const lower of await generations(directory)) {
    if (lower < generation) await rm(fileOf(directory, lower), { force: true })
  }
}

type Attempt = { readonly _tag: "taken"; readonly generation: number } | Extract<State, { _tag: "held" }> | "again"

/**
 * The second half of taking the lock, for one who saw that the highest number was `seen` and is free: creates the next and
 * looks again. `again` when another starter was quicker, however long ago the first look was.
 */
export const claimAfter = async (directory: string, seen: number): Promise<Exclude<Attempt, { _tag: "held" }>> => {
  const generation = seen + 1
  try {
    await place(directory, generation, ownIdentity(), link)
  } catch (error) {
    if (hasCode(error, "EEXIST")) return "again"
    throw error
  }
  if (await highest(directory) !== generation) {
    await rm(fileOf(directory, generation), { force: true })
    return "again"
  }
  await removeBelow(directory, generation)
  return { _tag: "taken", generation }
}

const attempt = async (directory: string): Promise<Attempt> => {
  const seen = await highest(directory)
  const state = await stateOf(directory, seen)
  if (state === undefined) return "again"
  return state._tag === "held" ? state : claimAfter(directory, seen)
}

const take = async (directory: string): Promise<Exclude<Attempt, "again">> => {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  // Each further round means that another starter got ahead in this very moment, so it ends.
  for (;;) {
    const result = await attempt(directory)
    if (result !== "again") return result
  }
}

const unwritable = (directory: string) => (cause: unknown): InstanceLockError =>
  new InstanceLockError({
    reason: "unwritable",
    directory,
    code: cause instanceof Error && "code" in cause ? String(cause.code) : "EIO",
    detail: cause instanceof Error ? cause.message : String(cause)
  })

const acquire = (directory: string): Effect.Effect<number, InstanceLockError> =>
  Effect.tryPromise({ try: () => take(directory), catch: unwritable(directory) }).pipe(
    Effect.flatMap((result) =>
      result._tag === "taken"
        ? Effect.succeed(result.generation)
        : Effect.fail(
          new InstanceLockError({ reason: "held", directory, code: "EBUSY", detail: `process ${result.pid}` })
        )
    )
  )

const release = (directory: string, generation: number): Effect.Effect<void> =>
  Effect.tryPromise({
    try: () => place(directory, generation, { released: true }, rename),
    catch: unwritable(directory)
  }).pipe(
    // The folder may be gone or read-only by now. The lock is void anyway once this process has ended.
    Effect.catchAll((error) => Effect.logWarning(`the lock could not be given back: ${error.message}`))
  )

/** A lock that is void as soon as its holder has ended, however it ended; for folders on a local file system. */
export const instanceLock = InstanceLock.of({
  acquire: (directory) =>
    Effect.acquireRelease(acquire(directory), (generation) => release(directory, generation)).pipe(Effect.asVoid)
})

export const layer: Layer.Layer<InstanceLock> = Layer.succeed(InstanceLock, instanceLock)

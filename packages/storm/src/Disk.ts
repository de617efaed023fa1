import { DurableFile, DurableFileError } from "@felhom/domain/port/DurableFile"
import { FileSteps, type GrowingFile } from "@felhom/domain/port/FileSteps"
import { type Context, Effect, Option } from "effect"
import type { Chance } from "./Chance.ts"

/** What lies on a disk on which nothing is under way. */
export type Content = ReadonlyMap<string, Uint8Array>

type Change =
  | { readonly _tag: "truncate" }
  | { readonly _tag: "append"; readonly bytes: Uint8Array }

/** A file, whatever names it has: what outlives a power cut, and what was done to it since. */
interface File {
  durable: Uint8Array
  since: Array<Change>
}

const nothing = new Uint8Array(0)

const joined = (one: Uint8Array, other: Uint8Array): Uint8Array => {
  const both = new Uint8Array(one.length + other.length)
  both.set(one)
  both.set(other, one.length)
  return both
}

const changed = (content: Uint8Array, change: Change): Uint8Array =>
  change._tag === "truncate" ? nothing : joined(content, change.bytes)

const presentOf = ({ durable, since }: File): Uint8Array => since.reduce(changed, durable)

/** What a power cut may leave of an append: a part of it, zeros where its data should be, or zeros before the data. */
const torn = (bytes: Uint8Array, chance: Chance): Uint8Array => {
  const cut = chance.below(bytes.length + 1)
  switch (chance.below(3)) {
    case 0:
      return bytes.slice(0, cut)
    case 1:
      return joined(bytes.slice(0, cut), new Uint8Array(bytes.length - cut))
    default:
      return joined(new Uint8Array(cut), bytes.slice(cut))
  }
}

const leftOf = ({ durable, since }: File, chance: Chance): Uint8Array => {
  if (since.length === 0) return durable
  const done = chance.below(since.length + 1)
  const whole = since.slice(0, done).reduce(changed, durable)
  const next = since[done]
  return next?._tag === "append" ? joined(whole, torn(next.bytes, chance)) : whole
}

/** How the disk is: in order, without room, or failing each write; or one write fails once so many more have been done. */
export type Condition = "sound" | "full" | "broken"

type Operation = DurableFileError["operation"]

/** Enough for new ops, too little for the logs to set a reserve aside. */
const roomy = 18 * 1024 * 1024

/**
 * The host's disk, on which every step of a file's life is one: an append is open until it is synced, a name until its folder is.
 * What is read costs no step.
 */
export class Disk {
  condition: Condition = "sound"
  /** Writes that are still let through before one fails, or undefined. */
  failsAfter: number | undefined
  /** Steps that change something, so far. */
  steps = 0
  /** Asked before each step; where it says false, the step is not taken and nobody hears of it any more. */
  before: (path: string) => boolean = () => true
  /** Told after each append that is durable, and each file whose name is. */
  after: (path: string) => void = () => undefined
  readonly #files = new Map<string, File>()
  readonly #durableNames = new Map<string, File>()

  constructor(content: Content) {
    for (const [path, durable] of content) {
      const file: File = { durable, since: [] }
      this.#files.set(path, file)
      this.#durableNames.set(path, file)
    }
  }

  /** What is read at present, and what is left where only the program dies. */
  present(): Map<string, Uint8Array> {
    return new Map([...this.#files].map(([path, file]) => [path, presentOf(file)]))
  }

  read(path: string): Uint8Array | undefined {
    const file = this.#files.get(path)
    return file === undefined ? undefined : presentOf(file)
  }

  /** What is there whatever happens now. */
  certain(path: string): Uint8Array | undefined {
    return this.#durableNames.get(path)?.durable
  }

  /** A thing that a power cut may leave. */
  cut(chance: Chance): Map<string, Uint8Array> {
    // Names go one after the other in the file system's own journal, so that one of two moments is left.
    const names = chance.is(0.5) ? this.#files : this.#durableNames
    return new Map([...names].map(([path, file]) => [path, leftOf(file, chance)]))
  }

  /** A file that root writes or removes, at once and for good. */
  put(path: string, content: Uint8Array | undefined): void {
    if (content === undefined) {
      this.#files.delete(path)
      this.#durableNames.delete(path)
      return
    }
    const file: File = { durable: content, since: [] }
    this.#files.set(path, file)
    this.#durableNames.set(path, file)
  }

  #failure(operation: Operation, path: string, grows: boolean): DurableFileError | undefined {
    const due = this.failsAfter === 0
    if (this.failsAfter !== undefined) this.failsAfter -= 1
    if (this.condition === "full" && grows) return this.#error(operation, path, "ENOSPC")
    return this.condition === "broken" || due ? this.#error(operation, path, "EIO") : undefined
  }

  #error(operation: Operation, path: string, code: string): DurableFileError {
    return new DurableFileError({ operation, path, code, detail: "the disk of this schedule" })
  }

  #step<A>(
    operation: Operation,
    path: string,
    grows: boolean,
    work: () => A,
    onFailure: () => void = () => undefined
  ): Effect.Effect<A, DurableFileError> {
    // A disk takes its time, in which others go on.
    return Effect.zipRight(
      Effect.yieldNow(),
      Effect.suspend((): Effect.Effect<A, DurableFileError> => {
        this.steps += 1
        if (!this.before(path)) return Effect.never
        const failure = this.#failure(operation, path, grows)
        if (failure !== undefined) {
          onFailure()
          return failure
        }
        const value = work()
        this.after(path)
        return Effect.succeed(value)
      })
    )
  }

  #growing(file: File, path: string): GrowingFile {
    const half = (bytes: Uint8Array) => () => {
      file.since.push({ _tag: "append", bytes: bytes.slice(0, bytes.length >> 1) })
    }
    return {
      append: (bytes) =>
        this.#step(
          "append to",
          path,
          true,
          () => void file.since.push({ _tag: "append", bytes: bytes.slice() }),
          half(bytes)
        ),
      sync: this.#step("sync", path, false, () => {
        file.durable = presentOf(file)
        file.since = []
      }),
      appendDurably: (bytes) =>
        Effect.suspend(() => {
          // Until it has answered, any part of it may be there.
          const change: Change = { _tag: "append", bytes: bytes.slice() }
          file.since.push(change)
          return this.#step("append to", path, true, () => {
            file.durable = presentOf(file)
            file.since = []
          })
        })
    }
  }

  /** The steps that this disk takes for one life of a program. */
  readonly fileSteps: Context.Tag.Service<FileSteps> = FileSteps.of({
    read: (path) => Effect.sync(() => Option.fromNullable(this.read(path))),
    makeFolder: () => Effect.void,
    create: (path) =>
      this.#step("create", path, true, () => {
        const old = this.#files.get(path)
        if (old !== undefined) {
          old.since.push({ _tag: "truncate" })
          return this.#growing(old, path)
        }
        const file: File = { durable: nothing, since: [] }
        this.#files.set(path, file)
        return this.#growing(file, path)
      }),
    rename: (from, to) =>
      this.#step("rename", from, false, () => {
        const file = this.#files.get(from)
        if (file === undefined) throw new Error(`no file ${from}`)
        this.#files.delete(from)
        this.#files.set(to, file)
      }),
    remove: (path) => this.#step("remove", path, false, () => void this.#files.delete(path)),
    syncFolder: (folder) =>
      this.#step("sync", folder, false, () => {
        for (const path of this.#durableNames.keys()) {
          if (path.startsWith(`${folder}/`) && !this.#files.has(path)) this.#durableNames.delete(path)
        }
        for (const [path, file] of this.#files) if (path.startsWith(`${folder}/`)) this.#durableNames.set(path, file)
      }),
    freeBytes: () => Effect.sync(() => (this.condition === "full" ? 0 : roomy))
  })
}

/**
 * Whole files in the steps that the real ones take, one after the other; made anew for each life of a program, as a crash drops
 * whatever was under way.
 */
export const wholeFiles = (disk: Disk): Context.Tag.Service<DurableFile> => {
  const one = Effect.unsafeMakeSemaphore(1)
  const { create, rename, syncFolder } = disk.fileSteps
  return DurableFile.of({
    read: (path) => Effect.sync(() => Option.fromNullable(disk.read(path))),
    replace: (path, content) =>
      Effect.gen(function*() {
        const file = yield* create(`${path}.1.tmp`)
        yield* file.append(content)
        yield* file.sync
        yield* rename(`${path}.1.tmp`, path)
        yield* syncFolder(path.slice(0, path.lastIndexOf("/")))
      }).pipe(Effect.scoped, one.withPermits(1), Effect.uninterruptible)
  })
}

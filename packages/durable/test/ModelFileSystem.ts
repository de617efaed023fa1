import { DurableFileError } from "@felhom/domain/port/DurableFile"
import { FileSteps, type GrowingFile } from "@felhom/domain/port/FileSteps"
import { Effect, Layer, Option } from "effect"

/** What a disk holds: names and what is behind them. Nothing of it is pending. */
export type Disk = ReadonlyMap<string, Uint8Array>

type FileOp =
  | { readonly _tag: "truncate" }
  | { readonly _tag: "write"; readonly at: number; readonly bytes: Uint8Array }
  /** A write that has answered, behind what was not synced. */
  | { readonly _tag: "durable"; readonly at: number; readonly bytes: Uint8Array }

type Steps = typeof FileSteps.Service

/**
 * A fault put between a program and its files, to see that it shows. `existing` opens a file that is there for writing at its end,
 * which the real port has no way to do.
 */
export type Plant = (files: Steps, existing: (path: string) => GrowingFile | undefined) => Steps

interface Inode {
  readonly durable: Uint8Array
  readonly pending: ReadonlyArray<FileOp>
}

type Names = ReadonlyMap<string, number>
type FolderOp = (names: Map<string, number>) => void

/** Everything at one moment: what a power cut leaves of it is open within what was not synced. */
interface Moment {
  readonly inodes: ReadonlyMap<number, Inode>
  readonly names: Names
  readonly durableNames: Names
  readonly pendingNames: ReadonlyArray<FolderOp>
}

const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const written = (content: Uint8Array, at: number, bytes: Uint8Array): Uint8Array => {
  const whole = new Uint8Array(Math.max(content.length, at + bytes.length))
  whole.set(content)
  whole.set(bytes, at)
  return whole
}

const applyTo = (content: Uint8Array, op: FileOp): Uint8Array =>
  op._tag === "truncate" ? new Uint8Array(0) : written(content, op.at, op.bytes)

const contentOf = (inode: Inode): Uint8Array => inode.pending.reduce(applyTo, inode.durable)

/** What may be left of one write: nothing, a part, zeros where data should be, data behind zeros, or all of it. */
const remains = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => {
  const half = bytes.length >> 1
  const cuts = [...new Set([0, 1, 4, 7, 8, 9, 12, half, bytes.length - 1, bytes.length])].filter(
    (cut) => cut >= 0 && cut <= bytes.length
  )
  const zeros = (count: number) => new Uint8Array(count)
  return [
    ...cuts.map((cut) => bytes.subarray(0, cut)),
    zeros(bytes.length),
    concat([bytes.subarray(0, half), zeros(bytes.length - half)]),
    concat([zeros(half), bytes.subarray(half)])
  ]
}

/** What must be there at least, with and without the bytes that were not synced in front of a durable write. */
const certainOf = (durable: Uint8Array, ops: ReadonlyArray<FileOp>): ReadonlyArray<Uint8Array> => [
  ops.reduce(applyTo, durable),
  ops.map((op): FileOp => op._tag === "write" ? { ...op, bytes: new Uint8Array(op.bytes.length) } : op)
    .reduce(applyTo, durable)
]

/** All that may be left of a file: each prefix of what was done to it, the last thing of it torn. */
const leftOf = ({ durable, pending }: Inode): ReadonlyArray<Uint8Array> => {
  const certain = pending.findLastIndex(({ _tag }) => _tag === "durable") + 1
  if (certain === 0) return prefixesOf(durable, pending)
  return certainOf(durable, pending.slice(0, certain)).flatMap((content) => prefixesOf(content, pending.slice(certain)))
}

const prefixesOf = (durable: Uint8Array, pending: ReadonlyArray<FileOp>): ReadonlyArray<Uint8Array> => {
  const left = [durable]
  let content = durable
  for (const op of pending) {
    if (op._tag === "write") {
      const before = content
      left.push(...remains(op.bytes).map((part) => written(before, op.at, part)))
    }
    content = applyTo(content, op)
    left.push(content)
  }
  return left
}

const folderStates = ({ durableNames, pendingNames }: Moment): ReadonlyArray<Names> => {
  const states: Array<Names> = [durableNames]
  let names = new Map(durableNames)
  for (const op of pendingNames) {
    names = new Map(names)
    op(names)
    states.push(names)
  }
  return states
}

/** Every disk that a power cut at this moment may leave behind. */
export const crashStates = function*(moment: Moment): Generator<Disk> {
  for (const names of folderStates(moment)) {
    let disks: ReadonlyArray<Disk> = [new Map()]
    for (const [name, number] of names) {
      const inode = moment.inodes.get(number)
      const contents = inode === undefined ? [] : leftOf(inode)
      disks = disks.flatMap((disk) => contents.map((content) => new Map(disk).set(name, content)))
    }
    yield* disks
  }
}

// Each byte is one character, and no two bytes are the same one.
const byteText = new TextDecoder("windows-1252")

/** A text that two disks have in common if and only if they hold the same. */
export const formatDisk = (disk: Disk): string =>
  [...disk].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, bytes]) =>
    `${name} ${bytes.length} ${byteText.decode(bytes)}`
  ).join("\n")

/** A failure to be had from the step with this number, counted from 0. */
export interface Fault {
  readonly step: number
  readonly code: "EIO" | "ENOSPC"
  /** Whether an append that fails leaves its first half behind. Else it leaves nothing, and a durable one its bytes unsynced. */
  readonly half: boolean
}

export interface Model {
  readonly files: typeof FileSteps.Service
  readonly layer: Layer.Layer<FileSteps>
  /** The moments after each step so far; the first is before the first step. */
  readonly moments: ReadonlyArray<Moment>
  /** What the program sees at present. */
  readonly present: () => Disk
  /** Steps so far that can fail. */
  readonly steps: () => number
  free: number
  fault: Fault | undefined
}

/** Enough for new operations, too little to set anything aside. */
export const modestSpace = 18 * 1024 * 1024

/**
 * A file system that starts with this disk and keeps every moment of what is done to it; without `history` only what is there at
 * last, for a start that is not cut itself. A durable write that goes beyond the end brings zeros along, up to a multiple of
 * `room`.
 */
export const makeModel = (
  disk: Disk = new Map(),
  { history = true, plant, room = 1 }: {
    readonly history?: boolean
    readonly plant?: Plant | undefined
    readonly room?: number
  } = {}
): Model => {
  let next = 0
  const inodes = new Map<number, Inode>()
  const names = new Map<string, number>()
  for (const [name, bytes] of disk) {
    inodes.set(next, { durable: bytes, pending: [] })
    names.set(name, next)
    next += 1
  }
  let durableNames: Names = new Map(names)
  let pendingNames: ReadonlyArray<FolderOp> = []
  const moments: Array<Moment> = []
  let steps = 0
  const keep = () => {
    if (history) moments.push({ inodes: new Map(inodes), names: new Map(names), durableNames, pendingNames })
  }
  keep()

  const inodeOf = (number: number): Inode => {
    const inode = inodes.get(number)
    if (inode === undefined) throw new Error(`no inode ${number}`)
    return inode
  }
  const change = (number: number, op: FileOp): void => {
    const inode = inodeOf(number)
    inodes.set(number, { ...inode, pending: [...inode.pending, op] })
  }
  const inFolder = (op: FolderOp): void => {
    op(names)
    pendingNames = [...pendingNames, op]
  }

  const step = <A>(
    operation: DurableFileError["operation"],
    path: string,
    run: () => A,
    onFault: (half: boolean) => void = () => undefined
  ): Effect.Effect<A, DurableFileError> =>
    Effect.suspend(() => {
      const fault = model.fault
      if (steps++ === fault?.step) {
        onFault(fault.half)
        keep()
        return new DurableFileError({ operation, path, code: fault.code, detail: "as the test wants it" })
      }
      const value = run()
      keep()
      return Effect.succeed(value)
    })

  const create = (path: string): number => {
    const there = names.get(path)
    if (there !== undefined) {
      change(there, { _tag: "truncate" })
      return there
    }
    const number = next++
    inodes.set(number, { durable: new Uint8Array(0), pending: [] })
    inFolder((all) => all.set(path, number))
    return number
  }

  const growing = (number: number, path: string): GrowingFile => {
    let end = contentOf(inodeOf(number)).length
    let roomEnd = end
    /** Where so many more bytes go. */
    const next = (length: number): number => {
      end += length
      return end - length
    }
    const write = (at: number, bytes: Uint8Array) => change(number, { _tag: "write", at, bytes })
    return {
      append: (bytes) =>
        Effect.suspend(() => {
          const at = next(bytes.length)
          return step("append to", path, () => write(at, bytes.slice()), (half) => {
            if (half) write(at, bytes.slice(0, bytes.length >> 1))
          })
        }),
      sync: step("sync", path, () => {
        inodes.set(number, { durable: contentOf(inodeOf(number)), pending: [] })
      }),
      appendDurably: (bytes) =>
        Effect.suspend(() => {
          const at = next(bytes.length)
          const more = end > roomEnd ? Math.ceil(end / room) * room - end : 0
          if (end > roomEnd) roomEnd = end + more
          const placed = concat([bytes, new Uint8Array(more)])
          return step("append to", path, () => {
            // While it has not answered, as much is open as of any other write.
            const before = inodeOf(number)
            write(at, placed)
            keep()
            inodes.set(
              number,
              before.pending.length === 0
                ? { durable: written(before.durable, at, placed), pending: [] }
                : { ...before, pending: [...before.pending, { _tag: "durable", at, bytes: placed }] }
            )
          }, (half) => write(at, half ? bytes.slice(0, bytes.length >> 1) : placed))
        })
    }
  }
  const sound = FileSteps.of({
    read: (path) =>
      step(
        "read",
        path,
        () => Option.map(Option.fromNullable(names.get(path)), (number) => contentOf(inodeOf(number)))
      ),
    makeFolder: (folder) => step("create", folder, () => undefined),
    create: (path) => Effect.map(step("create", path, () => create(path)), (number) => growing(number, path)),
    rename: (from, to) =>
      step("rename", from, () => {
        const number = names.get(from)
        if (number === undefined) throw new Error(`no file ${from}`)
        inFolder((all) => {
          all.delete(from)
          all.set(to, number)
        })
      }),
    remove: (path) => step("remove", path, () => inFolder((all) => all.delete(path))),
    syncFolder: (folder) =>
      step("sync", folder, () => {
        durableNames = new Map(names)
        pendingNames = []
      }),
    freeBytes: (folder) => step("look at", folder, () => model.free)
  })
  const files = plant === undefined ? sound : plant(sound, (path) => {
    const number = names.get(path)
    return number === undefined ? undefined : growing(number, path)
  })
  const model: Model = {
    moments,
    free: modestSpace,
    fault: undefined,
    steps: () => steps,
    present: () => new Map([...names].map(([name, number]) => [name, contentOf(inodeOf(number))])),
    files,
    layer: Layer.succeed(FileSteps, files)
  }
  return model
}

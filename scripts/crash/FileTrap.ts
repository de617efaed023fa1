import { zerosFrom } from "@felhom/durable/LogFormat"
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { relative } from "node:path"

/** What goes wrong at one step. A process that is killed `after` a step has had its answer from the kernel and has told nobody. */
export interface Trap {
  /** The number of the step, counted from 0: from the first of all, or from the so-manieth that is called so. */
  readonly at: number
  readonly from?: { readonly step: string; readonly time: number } | undefined
  readonly how: "kill before" | "kill after" | "EIO" | "ENOSPC"
}

/** The durable steps of one folder's files so far, such as `fdatasync journal.log`, and which of them the trap was sprung at. */
export interface Steps {
  readonly seen: ReadonlyArray<string>
  readonly sprung: string | undefined
}

interface Watch {
  readonly folder: string
  readonly trap: Trap | undefined
  readonly seen: Array<string>
  /** The step that the trap's number is counted from; undefined while it has not come. */
  begun: number | undefined
  sprung: string | undefined
}

let watch: Watch | undefined

/** What the numbers of open files stand for; a file that is renamed takes its number along. */
const names = new Map<number, string>()

const inside = (path: unknown): path is string =>
  typeof path === "string" && watch !== undefined && (path === watch.folder || path.startsWith(`${watch.folder}/`))

const die = (step: string): never => {
  // Not through a stream: nothing of that would leave any more.
  fs.writeSync(2, `${step}\n`)
  process.kill(process.pid, "SIGKILL")
  // The signal is delivered when the call returns to us.
  throw new Error("still alive after SIGKILL")
}

const texts = { EIO: "i/o error", ENOSPC: "no space left on device" } as const

const failure = (code: "EIO" | "ENOSPC", call: string): Error =>
  Object.assign(new Error(`${code}: ${texts[code]}, ${call}`), { code, syscall: call })

/** Whether this step, the last one seen, is the trap's. */
const springs = (current: Watch, { at, from }: Trap): boolean => {
  const { seen } = current
  if (from !== undefined && seen.at(-1) === from.step && seen.filter((one) => one === from.step).length === from.time) {
    current.begun = seen.length - 1
  }
  return current.begun !== undefined && seen.length - 1 - current.begun === at
}

/** Counts the step. What it gives is to be thrown instead of doing it, or to be called once it is done. */
const stepped = (
  call: string,
  path: string
): { readonly error: Error | undefined; readonly done: () => void } => {
  const current = watch
  const nothing = { error: undefined, done: () => undefined }
  if (current === undefined) return nothing
  const step = `${call} ${relative(current.folder, path) || "."}`
  current.seen.push(step)
  if (current.trap === undefined || !springs(current, current.trap)) return nothing
  current.sprung = step
  switch (current.trap.how) {
    case "kill before":
      return die(`before ${step}`)
    case "kill after":
      return { error: undefined, done: () => die(`after ${step}`) }
    case "EIO":
    case "ENOSPC":
      return { error: failure(current.trap.how, call), done: () => undefined }
  }
}

const trapped = async <A>(call: string, path: string, run: () => Promise<A>): Promise<A> => {
  const { done, error } = stepped(call, path)
  if (error !== undefined) throw error
  const answer = await run()
  done()
  return answer
}

const { fdatasync, promises, write, writeSync } = fs
const { mkdir, open, rename, rm } = promises

const { O_CREAT, O_TRUNC } = fs.constants

/** Whether to open it leaves everything as it was, whatever is done with it then. */
const changesNothing = (flags: string | number | undefined): boolean =>
  typeof flags === "number" ? (flags & (O_CREAT | O_TRUNC)) === 0 : flags === undefined || flags === "r"

const openTrapped: typeof promises.open = async (path, flags, mode) => {
  if (!inside(path)) return open(path, flags, mode)
  const handle = changesNothing(flags)
    ? await open(path, flags, mode)
    : await trapped("open", path, () => open(path, flags, mode))
  names.set(handle.fd, path)
  for (const call of ["sync", "chmod", "writeFile"] as const) {
    const real: (...args: ReadonlyArray<never>) => Promise<void> = handle[call].bind(handle)
    Object.assign(handle, {
      [call]: (...args: ReadonlyArray<never>) => trapped(call, names.get(handle.fd) ?? path, () => real(...args))
    })
  }
  return handle
}

const renameTrapped: typeof promises.rename = async (from, to) => {
  if (!inside(from) || !inside(to)) return rename(from, to)
  await trapped("rename", to, () => rename(from, to))
  for (const [fd, name] of names) if (name === from) names.set(fd, to)
}

/**
 * A disk that is full takes what it still can, and one that breaks has done so in the middle of something: not of the zeros that
 * a record may bring along.
 */
const writeHalf = (fd: number, bytes: Uint8Array, offset: number, length: number, position: number): void => {
  writeSync(fd, bytes, offset, zerosFrom(bytes.subarray(offset, offset + length)) >> 1, position)
}

const writeSyncTrapped = (fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number => {
  const name = names.get(fd)
  if (name === undefined || !inside(name)) return writeSync(fd, bytes, offset, length, position)
  const { done, error } = stepped("append", name)
  if (error !== undefined) {
    writeHalf(fd, bytes, offset, length, position)
    throw error
  }
  const written = writeSync(fd, bytes, offset, length, position)
  done()
  return written
}

type Written = (error: NodeJS.ErrnoException | null, written: number) => void

const writeTrapped = (
  fd: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
  callback: Written
): void => {
  const name = names.get(fd)
  if (name === undefined || !inside(name)) return write(fd, bytes, offset, length, position, callback)
  const { done, error } = stepped("write", name)
  if (error !== undefined) {
    writeHalf(fd, bytes, offset, length, position)
    setImmediate(() => callback(error, 0))
    return
  }
  write(fd, bytes, offset, length, position, (failed, written) => {
    done()
    callback(failed, written)
  })
}

const fdatasyncTrapped = (fd: number, callback: fs.NoParamCallback): void => {
  const name = names.get(fd)
  if (name === undefined || !inside(name)) return fdatasync(fd, callback)
  const { done, error } = stepped("fdatasync", name)
  if (error !== undefined) {
    setImmediate(() => callback(error))
    return
  }
  fdatasync(fd, (failed) => {
    done()
    callback(failed)
  })
}

let installed = false

/** Puts itself between Node's files and whoever calls them from now on: the agent's own code below is the one that ships. */
const install = (): void => {
  if (installed) return
  installed = true
  Object.assign(promises, {
    open: openTrapped,
    rename: renameTrapped,
    mkdir: (path: string, options: fs.MakeDirectoryOptions) =>
      inside(path) && !fs.existsSync(path)
        ? trapped("mkdir", path, () => mkdir(path, options))
        : mkdir(path, options),
    rm: (path: string, options: fs.RmOptions) =>
      inside(path) && fs.existsSync(path) ? trapped("rm", path, () => rm(path, options)) : rm(path, options)
  })
  Object.assign(fs, { write: writeTrapped, writeSync: writeSyncTrapped, fdatasync: fdatasyncTrapped })
  syncBuiltinESMExports()
}

/**
 * From now on every step that changes what is on the disk below this folder is counted, and the trap springs at its own. One
 * folder at a time.
 */
export const setTrap = (folder: string, trap: Trap | undefined): () => Steps => {
  install()
  const current: Watch = { folder, trap, seen: [], begun: trap?.from === undefined ? 0 : undefined, sprung: undefined }
  watch = current
  return () => ({ seen: current.seen, sprung: current.sprung })
}

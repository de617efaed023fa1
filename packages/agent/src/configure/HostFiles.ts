import { Context, Effect, Layer, Option, Schema } from "effect"
import { chown, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises"
import { dirname, join } from "node:path"

/** A file of this host that could not be read or written. */
export class HostFileError extends Schema.TaggedError<HostFileError>()("HostFileError", {
  operation: Schema.Literal("read", "write"),
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `cannot ${this.operation} ${this.path}: ${this.detail}` +
      (this.detail.startsWith("EACCES") || this.detail.startsWith("EPERM") ? "; this takes root" : "")
  }
}

/** Whose a file is. `mode` without its type. */
export interface Ownership {
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

/** Root's files about the agent, as commands that root runs read and write them. */
export class HostFiles extends Context.Tag("felhom/agent/configure/HostFiles")<HostFiles, {
  readonly read: (path: string) => Effect.Effect<Option.Option<string>, HostFileError>
  /** The names in a folder, sorted; none when there is no such folder. */
  readonly list: (folder: string) => Effect.Effect<ReadonlyArray<string>, HostFileError>
  readonly ownership: (path: string) => Effect.Effect<Option.Option<Ownership>, HostFileError>
  /**
   * The whole file or the old one, and on the disk when it answers: written beside, synced, renamed, its folder synced. It belongs to
   * the group of its folder, which is made when it is not there.
   */
  readonly write: (path: string, text: string, mode: number) => Effect.Effect<void, HostFileError>
}>() {}

const attempt = <A>(operation: HostFileError["operation"], path: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (error) =>
      new HostFileError({ operation, path, detail: error instanceof Error ? error.message : String(error) })
  })

const unlessAbsent = async <A>(asked: Promise<A>): Promise<Option.Option<A>> => {
  try {
    return Option.some(await asked)
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) {
      return Option.none()
    }
    throw error
  }
}

const synced = async (path: string): Promise<void> => {
  const handle = await open(path, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const writeWhole = async (path: string, text: string, mode: number): Promise<void> => {
  const folder = dirname(path)
  const beside = join(folder, `.${process.pid}.felhom-agent`)
  await mkdir(folder, { recursive: true, mode: 0o755 })
  try {
    const handle = await open(beside, "wx", 0o600)
    try {
      await handle.writeFile(text)
      // Those who may look into the folder may read what is for them.
      const { gid } = await stat(folder)
      await chown(beside, process.geteuid?.() ?? 0, gid)
      await handle.chmod(mode)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(beside, path)
  } catch (error) {
    // The first error is the one to tell.
    await rm(beside, { force: true }).catch(() => undefined)
    throw error
  }
  await synced(folder)
}

export const layer: Layer.Layer<HostFiles> = Layer.succeed(HostFiles, {
  read: (path) => attempt("read", path, () => unlessAbsent(readFile(path, "utf8"))),
  list: (folder) =>
    attempt("read", folder, async () => Option.getOrElse(await unlessAbsent(readdir(folder)), () => []).toSorted()),
  ownership: (path) =>
    attempt(
      "read",
      path,
      async () =>
        Option.map(await unlessAbsent(stat(path)), ({ gid, mode, uid }) => ({ uid, gid, mode: mode & 0o7777 }))
    ),
  write: (path, text, mode) => attempt("write", path, () => writeWhole(path, text, mode))
})

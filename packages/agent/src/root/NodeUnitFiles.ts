import { UnitFileError, UnitFiles } from "@felhom/privileged/UnitFiles"
import { Effect, Layer, Option } from "effect"
import { open, readFile, rename, rm } from "node:fs/promises"
import { join } from "node:path"

/** Where units that outlive a restart belong when an administrator, and no package, brings them (systemd.unit(5)). */
export const hostUnits = "/etc/systemd/system"

const attempt = <A>(operation: UnitFileError["operation"], path: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (error) =>
      new UnitFileError({ operation, path, detail: error instanceof Error ? error.message : String(error) })
  })

const isAbsent = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT"

const contentOf = async (path: string): Promise<Option.Option<string>> => {
  try {
    return Option.some(await readFile(path, "utf8"))
  } catch (error) {
    if (isAbsent(error)) return Option.none()
    throw error
  }
}

const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Written under another name, which systemd reads as no unit, until all of it is on the disk. */
const writeWhole = async (folder: string, unit: string, text: string): Promise<void> => {
  const path = join(folder, unit)
  const beside = join(folder, `.${unit}.felhom`)
  try {
    // One left over from a crash, or anything else of that name, is not written through.
    await rm(beside, { force: true })
    const handle = await open(beside, "wx", 0o644)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(beside, path)
    await syncFolder(folder)
  } catch (error) {
    // The first error is the one to tell.
    await Promise.allSettled([rm(beside, { force: true }), rm(path, { force: true })])
    throw error
  }
}

/** The unit files in a folder on this host. */
export const layer = (folder: string): Layer.Layer<UnitFiles> =>
  Layer.succeed(UnitFiles, {
    read: (unit) => attempt("read", join(folder, unit), () => contentOf(join(folder, unit))),
    write: (unit, text) => attempt("write", join(folder, unit), () => writeWhole(folder, unit, text)),
    remove: (unit) =>
      attempt("remove", join(folder, unit), async () => {
        await rm(join(folder, unit), { force: true })
        await syncFolder(folder)
      }),
    mountInfo: attempt("read", "/proc/self/mountinfo", () => readFile("/proc/self/mountinfo", "utf8"))
  })

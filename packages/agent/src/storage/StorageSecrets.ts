import { NoSecret, type Secrets } from "@felhom/reconciler/storage/NetworkStorages"
import { Effect, Redacted } from "effect"
import { readFile, stat } from "node:fs/promises"
import { join } from "node:path"

/** Where root puts the secrets of network storages, each in a file of its name; systemd hands them on as credentials. */
export const storageSecretsFolder = "/etc/felhom-agent/storage-secrets"

const isAbsent = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT"

const rootGroup = 0

/**
 * The text of a secret's file; undefined where there is none. One that others may read is none; but a credential is root's, and systemd
 * lets the agent read it by an access list that stat shows as the group's rights (systemd 257: 0440).
 */
const readSecret = async (path: string, credential: boolean): Promise<string | undefined> => {
  try {
    const { gid, mode } = await stat(path)
    if ((mode & (credential && gid === rootGroup ? 0o037 : 0o077)) !== 0) {
      throw new Error(`others may read it: chmod 600 ${path}`)
    }
    return (await readFile(path, "utf8")).replace(/\r?\n$/, "")
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/**
 * Secrets of this host by their names: systemd's credentials `storage_NAME` first, else root's own file. Read anew each time, and kept
 * nowhere.
 */
export const storageSecrets = (
  credentials: string | undefined,
  folder: string = storageSecretsFolder
): Secrets =>
(name) =>
  Effect.gen(function*() {
    const places = [
      ...(credentials === undefined ? [] : [[join(credentials, `storage_${name}`), true] as const]),
      [join(folder, name), false] as const
    ]
    for (const [path, credential] of places) {
      const text = yield* Effect.tryPromise({
        try: () => readSecret(path, credential),
        catch: (error) =>
          new NoSecret({ message: `${path}: ${error instanceof Error ? error.message : String(error)}` })
      })
      if (text === undefined) continue
      if (text === "" || /[\r\n\0]/.test(text)) {
        return yield* new NoSecret({ message: `${path}: it is empty, or has more than one line` })
      }
      return Redacted.make(text)
    }
    return yield* new NoSecret({
      message: `the host has no secret ${name}: root writes it to ${
        join(folder, name)
      } (mode 600), and restarts the agent`
    })
  })

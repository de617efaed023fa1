import type { Volid } from "@felhom/domain/ProxmoxId"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import type { StorageConfig } from "@felhom/proxmox/StorageRows"
import { Effect, Either } from "effect"

// Where archives are plain files below a folder of the host (platform-facts 1.6).
const ownFolder: ReadonlySet<string> = new Set(["dir", "btrfs"])
const mountedFolder: ReadonlySet<string> = new Set(["nfs", "cifs", "cephfs"])

/** `backup=else/where` of a storage whose folders have other names. */
const dumpFolder = (config: StorageConfig): string => {
  const named = config["content-dirs"]
  const own = typeof named === "string" ? /(?:^|,)backup=([^,]+)/.exec(named)?.[1] : undefined
  return own ?? "dump"
}

const placeIn = (config: StorageConfig, name: string): Either.Either<string, string> => {
  const { storage, type } = config
  const path = config["path"]
  const base = typeof path === "string" && path.startsWith("/")
    ? path
    : mountedFolder.has(type)
    ? `/mnt/pve/${storage}`
    : undefined
  if (base === undefined || !(ownFolder.has(type) || mountedFolder.has(type))) {
    return Either.left(`${storage} (${type}) keeps no archive as a file of this host`)
  }
  return name.includes("/") || name.startsWith(".")
    ? Either.left(`${name} is no file in the folder of ${storage}`)
    : Either.right(`${base.replace(/\/+$/, "")}/${dumpFolder(config)}/${name}`)
}

/** The path of an archive on this host; left: why it is no file here. One reading. */
export const archivePlace = (
  volid: Volid
): Effect.Effect<Either.Either<string, string>, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const [, storage = "", name = ""] = /^([^:]+):backup\/(.+)$/.exec(volid) ?? []
    const { rows } = yield* (yield* ProxmoxClient).storageConfig
    const config = rows.find((row) => row.storage === storage)
    return config === undefined
      ? Either.left(`nobody can tell where ${storage} keeps its files`)
      : placeIn(config, name)
  })

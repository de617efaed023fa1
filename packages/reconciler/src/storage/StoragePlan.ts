import type { NodeName, StorageId } from "@felhom/domain/ProxmoxId"
import type { NewStorage, StorageChange } from "@felhom/proxmox/StorageChange"
import type { StorageConfig } from "@felhom/proxmox/StorageRows"

/** What there is to do for a storage. `differs`: what can't be changed is not as it should be, and a person decides. */
export type StoragePlan =
  | { readonly plan: "fine" }
  | { readonly plan: "create" }
  | { readonly plan: "change"; readonly change: StorageChange; readonly what: ReadonlyArray<string> }
  | { readonly plan: "differs"; readonly why: string }

const textOf = (config: StorageConfig, key: string): string | null => {
  const value = config[key]
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : null
}

const same = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): boolean =>
  a.length === b.length && a.every((item) => b.includes(item))

/** What says where a storage points: none of it may ever be another one, and Proxmox VE changes none of it (platform-facts 1.6). */
const pointing = (wanted: NewStorage): ReadonlyArray<readonly [key: string, value: string | null]> => {
  switch (wanted.type) {
    case "dir":
      return [["path", wanted.path]]
    case "nfs":
      return [["server", wanted.server], ["export", wanted.export]]
    case "cifs":
      return [["server", wanted.server], ["share", wanted.share]]
    case "pbs":
      return [
        ["server", wanted.server],
        ["datastore", wanted.datastore],
        ["namespace", wanted.namespace ?? null],
        ["port", wanted.port === undefined || wanted.port === 8007 ? null : String(wanted.port)]
      ]
  }
}

const mountpointSays = (value: string | null, path: string): boolean =>
  value === "yes" || value === "1" || value === "on" || value === "true" || value === path

/**
 * Holds a storage against what it should be. Only what loses nothing is put right; one that points elsewhere, or is of another type, is
 * left as it is. `node` is this host's: a storage for other nodes alone is not ours.
 */
export const planStorage = (
  wanted: NewStorage,
  config: StorageConfig | undefined,
  node: NodeName,
  options: { readonly enabled: boolean; readonly newSecret: boolean } = { enabled: true, newSecret: false }
): StoragePlan => {
  if (config === undefined) return { plan: "create" }
  if (config.type !== wanted.type) {
    return differs(wanted.storage, `is of the type ${config.type}, and should be ${wanted.type}`)
  }
  for (const [key, value] of pointing(wanted)) {
    const is = textOf(config, key)
    const present = key === "port" && is === "8007" ? null : is
    if (present !== value) {
      return differs(wanted.storage, `has ${key} ${is ?? "unset"}, and should have ${value ?? "none"}`)
    }
  }
  const nodes = textOf(config, "nodes")?.split(",").map((name) => name.trim()).filter((name) => name !== "") ?? []
  if (nodes.length > 0 && !nodes.includes(node)) {
    return differs(wanted.storage, `is for ${nodes.join(", ")} and not for ${node}`)
  }
  const mark = wanted.type === "dir" && wanted.mountpoint &&
    !mountpointSays(textOf(config, "is_mountpoint"), wanted.path)
  const disabled = ["1", "yes", "on", "true"].includes(textOf(config, "disable") ?? "")
  const content = !same(config.content, wanted.content)
  const username = "username" in wanted && wanted.username !== undefined &&
    textOf(config, "username") !== wanted.username
  const fingerprint = wanted.type === "pbs" &&
    textOf(config, "fingerprint")?.toUpperCase() !== wanted.fingerprint
  const secret = options.newSecret && "password" in wanted && wanted.password !== undefined
  const change: StorageChange = {
    ...(mark ? { mountpoint: true as const } : {}),
    ...(content ? { content: wanted.content } : {}),
    ...(disabled === options.enabled ? { enabled: options.enabled } : {}),
    ...(username && "username" in wanted && wanted.username !== undefined ? { username: wanted.username } : {}),
    ...(fingerprint ? { fingerprint: wanted.fingerprint } : {}),
    ...(secret ? { password: wanted.password } : {})
  }
  const what = Object.keys(change)
  if (what.length === 0) return { plan: "fine" }
  const digest = textOf(config, "digest")
  return { plan: "change", change: { ...change, ...(digest === null ? {} : { digest }) }, what }
}

const differs = (storage: StorageId, how: string): StoragePlan => ({
  plan: "differs",
  why:
    `the storage ${storage} ${how}: somebody else set it up. It is left alone; remove it (felhom op storage.remove, which an ` +
    "operator signs; what is on it stays there) or take another name in the policy"
})

import type { OpName, SignedOp } from "@felhom/domain/SignedOp"

/** A request to Proxmox, as it came. */
export interface Asked {
  readonly method: string
  /** Decoded, below `/api2/json`. */
  readonly path: string
  /** From the query and the form. */
  readonly parameters: ReadonlyMap<string, string>
  readonly headers: { readonly [name: string]: string }
  /** When it left the agent, by the host's clock. */
  readonly sentAt: number
}

/** What a request takes away for good, told from its path alone: not by the client's own word for it. */
export interface Destruction {
  readonly op: OpName | "guest.restore_over" | "config.other" | "backup.prune"
  /** What it is done to, as `describe` says it of an op. */
  readonly target: string
}

const found = (op: Destruction["op"], target: string): Destruction => ({ op, target })

/** Keys of a configuration that nobody needs a signature to set (protocol 4). */
const benignKey =
  /^(?:cores|cpulimit|cpuunits|memory|balloon|swap|onboot|startup|description|tags|hostname|name|nameserver|searchdomain|protection|net\d+|digest)$/

const ofGuest = (asked: Asked, guest: string, rest: string): Destruction | undefined => {
  const { method, parameters } = asked
  const snapshot = /^snapshot\/([^/]+)(\/rollback)?$/.exec(rest)
  if (method === "DELETE" && rest === "") return found("guest.destroy", guest)
  if (method === "DELETE" && snapshot !== null) return found("snapshot.delete", `${guest} ${snapshot[1] ?? ""}`)
  if (method === "POST" && snapshot?.[2] !== undefined) return found("guest.rollback", `${guest} ${snapshot[1] ?? ""}`)
  if (method === "POST" && (rest === "status/stop" || rest === "status/reset" || rest === "status/reboot")) {
    return found("guest.stop_hard", guest)
  }
  if (method === "POST" && rest === "status/shutdown" && parameters.get("forceStop") === "1") {
    return found("guest.stop_hard", guest)
  }
  if ((method === "PUT" || method === "POST") && rest === "config") {
    const named = [...parameters].flatMap(([key, value]) => (key === "delete" ? value.split(/[,;\s]+/) : [key]))
    const keys = named.filter((key) => !benignKey.test(key) || (key === "protection" && !parameters.has(key)))
    if (keys.length > 0 || parameters.get("protection") === "0") return found("config.other", `${guest} ${keys.join()}`)
  }
  return undefined
}

/** What the request would destroy; undefined where it does no such thing. */
export const destructionOf = (asked: Asked): Destruction | undefined => {
  const { method, parameters, path } = asked
  if (method === "GET") return undefined
  const guest = /^\/nodes\/[^/]+\/(lxc|qemu)\/(\d+)(?:\/(.*))?$/.exec(path)
  if (guest !== null) return ofGuest(asked, `${guest[1] ?? ""}/${guest[2] ?? ""}`, guest[3] ?? "")
  const made = /^\/nodes\/[^/]+\/(lxc|qemu)$/.exec(path)
  if (made !== null && method === "POST" && parameters.get("force") === "1") {
    return found("guest.restore_over", `${made[1] ?? ""}/${parameters.get("vmid") ?? ""}`)
  }
  const volume = /^\/nodes\/[^/]+\/storage\/[^/]+\/content\/(.+)$/.exec(path)
  if (volume !== null && method === "DELETE") {
    return found(/:backup\//.test(volume[1] ?? "") ? "backup.delete" : "volume.delete", volume[1] ?? "")
  }
  if (volume !== null && method === "PUT" && parameters.get("protected") === "0") {
    return found("backup.unprotect", volume[1] ?? "")
  }
  if (method === "DELETE" && path.endsWith("/prunebackups")) return found("backup.prune", path)
  if (path.endsWith("/vzdump") && parameters.get("remove") !== "0") return found("backup.prune", path)
  const storage = /^\/storage\/([^/]+)$/.exec(path)
  return storage !== null && method === "DELETE" ? found("storage.remove", storage[1] ?? "") : undefined
}

/** What an op is done to, in the words of a `Destruction`. */
export const targetOf = (op: SignedOp): string => {
  if ("guest" in op.target) {
    const guest = `${op.target.guest.type}/${op.target.guest.vmid}`
    return "snapshot" in op.target ? `${guest} ${op.target.snapshot}` : guest
  }
  if ("volid" in op.target) return op.target.volid
  return "storage" in op.target ? op.target.storage : ""
}

import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import { type ApiFailure, forbidden } from "./ApiFailure.ts"
import { type Call, missing } from "./Endpoint.ts"
import type { Guest } from "./Guest.ts"

const onFlags = (text: string | undefined): ReadonlySet<string> =>
  new Set(
    text === undefined ?
      [] :
      parsePropertyString(text).entries.flatMap(([name, value]) =>
        name === "mount" ? [`mount=${value}`] : value === "1" ? [name] : []
      )
  )

const featuresRefusal = (call: Call, guest: Guest, next: string | undefined): ApiFailure | undefined => {
  const before = onFlags(guest.file.current.values.get("features"))
  const after = onFlags(next)
  const changed = [...before, ...after].filter((flag) => before.has(flag) !== after.has(flag))
  if (changed.length === 0) return undefined
  if (guest.file.current.values.get("unprivileged") !== "1") {
    return forbidden("changing feature flags for privileged container is only allowed for root@pam")
  }
  return changed.every((flag) => flag === "nesting")
    ? missing(call.machine, call.identity, `/vms/${guest.vmid}`, ["VM.Allocate"])
    : forbidden("changing feature flags (except nesting) is only allowed for root@pam")
}

/** The ACL path of a card's bridge, with its VLAN if it has one; undefined when it hangs on none (platform-facts 2.3). */
export const bridgePath = (text: string): string | undefined => {
  const property = parsePropertyString(text)
  const bridge = propertyOf(property, "bridge")
  const tag = propertyOf(property, "tag")
  return bridge === undefined ? undefined : `/sdn/zones/localnetwork/${bridge}${tag === undefined ? "" : `/${tag}`}`
}

const bridgeRefusal = (call: Call, text: string | undefined): ApiFailure | undefined => {
  const path = bridgePath(text ?? "")
  return path === undefined ? undefined : missing(call.machine, call.identity, path, ["SDN.Use"])
}

const volumeRefusal = (call: Call, guest: Guest, next: string | undefined): ApiFailure | undefined => {
  const refused = missing(call.machine, call.identity, `/vms/${guest.vmid}`, ["VM.Config.Disk"])
  if (refused !== undefined || next === undefined) return refused
  const source = sourceOf(next)
  if (source.startsWith("/")) {
    const kind = source.startsWith("/dev/") ? "device" : "bind"
    return forbidden(`mount point type ${kind} is only allowed for root@pam`)
  }
  const allocates = /^([^:]+):\d+(?:\.\d+)?$/.exec(source)?.[1]
  return allocates === undefined
    ? undefined
    : missing(call.machine, call.identity, `/storage/${allocates}`, ["Datastore.AllocateSpace"])
}

/** What a `rootfs` or `mpN` mounts. */
export const sourceOf = (text: string): string => {
  const property = parsePropertyString(text)
  return property.bare ?? propertyOf(property, "volume") ?? ""
}

const keyPrivilege = (key: string): string => {
  if (["cores", "cpulimit", "cpuunits"].includes(key)) return "VM.Config.CPU"
  if (["memory", "swap"].includes(key)) return "VM.Config.Memory"
  if (["hostname", "nameserver", "searchdomain"].includes(key)) return "VM.Config.Network"
  return "VM.Config.Options"
}

/**
 * The check of one key, for set and delete alike; `next` is undefined for a delete. The caller is a token, so what only
 * root@pam may do is refused always (platform-facts 5.1, 5.2).
 */
export const keyRefusal = (
  call: Call,
  guest: Guest,
  key: string,
  next: string | undefined
): ApiFailure | undefined => {
  if (key === "features") return featuresRefusal(call, guest, next)
  if (key === "hookscript") return forbidden("changing the hookscript is only allowed for root@pam")
  if (/^dev\d+$/.test(key)) return forbidden("configuring device passthrough is only allowed for root@pam")
  if (/^(?:rootfs|mp\d+)$/.test(key)) return volumeRefusal(call, guest, next)
  if (/^net\d+$/.test(key)) {
    return missing(call.machine, call.identity, `/vms/${guest.vmid}`, ["VM.Config.Network"]) ??
      bridgeRefusal(call, guest.file.current.values.get(key)) ?? bridgeRefusal(call, next)
  }
  return missing(call.machine, call.identity, `/vms/${guest.vmid}`, [keyPrivilege(key)])
}

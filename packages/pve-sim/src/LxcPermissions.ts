import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import type { Identity } from "./AccessControl.ts"
import { type ApiFailure, forbidden } from "./ApiFailure.ts"
import { type Call, may, missing } from "./Endpoint.ts"
import type { Guest } from "./Guest.ts"
import { featureProperties } from "./LxcSchema.ts"
import type { Machine } from "./Machine.ts"
import { readProperties } from "./PropertyFormat.ts"
import { volumeRefusal } from "./VolumeAccess.ts"

type Flags = ReadonlyMap<string, string>

const flagsOf = (text: string | undefined): Flags => {
  const found = readProperties(text ?? "", featureProperties)
  return typeof found === "string" ? new Map() : found
}

/** The flags that change: a flag that is named and off counts as another than one that is not named. */
const changedFlags = (old: string | undefined, next: string | undefined): ReadonlyArray<string> => {
  const [before, after] = [flagsOf(old), flagsOf(next)]
  const names = Array.from(new Set([...before.keys(), ...after.keys()]))
  return next === undefined ? names : names.filter((name) => (before.get(name) ?? "") !== (after.get(name) ?? ""))
}

const featuresRefusal = (check: Check, next: string | undefined): ApiFailure | undefined => {
  const { values } = check.guest.file.current
  if (values.get("unprivileged") !== "1") {
    return forbidden("changing feature flags for privileged container is only allowed for root@pam")
  }
  const changed = changedFlags(values.get("features"), next)
  if (changed.some((flag) => flag !== "nesting")) {
    return forbidden("changing feature flags (except nesting) is only allowed for root@pam")
  }
  return changed.length === 0 ? undefined : check.lacks("VM.Allocate")
}

const trunkTags = (trunks: string): ReadonlyArray<string> =>
  trunks.split(";").flatMap((part) => {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part.trim()) ?? []
    return first === undefined
      ? []
      : Array.from({ length: Math.max(0, Number(last) - Number(first) + 1) }, (_, at) => String(Number(first) + at))
  })

/** The ACL paths of a card's bridge, one for each VLAN if it has any; none when it hangs on no bridge (platform-facts 2.3). */
export const bridgePaths = (text: string): ReadonlyArray<string> => {
  const property = parsePropertyString(text)
  const bridge = propertyOf(property, "bridge")
  if (bridge === undefined) return []
  const path = `/sdn/zones/localnetwork/${bridge}`
  const tag = propertyOf(property, "tag")
  const tags = [...tag === undefined ? [] : [tag], ...trunkTags(propertyOf(property, "trunks") ?? "")]
  return tags.length === 0 ? [path] : tags.map((one) => `${path}/${one}`)
}

/** Why the bridge of a card may not be used; undefined when it may. */
export const bridgeRefusal = (machine: Machine, identity: Identity, text: string | undefined): ApiFailure | undefined =>
  bridgePaths(text ?? "")
    .map((path) => missing(machine, identity, path, ["SDN.Use"]))
    .find((refused) => refused !== undefined)

/** One request's check of the keys of one guest. */
interface Check {
  readonly call: Call
  readonly guest: Guest
  /** The 403 of a privilege that is held neither on the pool, if there is one, nor on the guest. */
  readonly lacks: (privilege: string) => ApiFailure | undefined
}

const volumeKeyRefusal = ({ call, guest, lacks }: Check, next: string | undefined): ApiFailure | undefined => {
  const refused = lacks("VM.Config.Disk")
  if (refused !== undefined || next === undefined) return refused
  const source = sourceOf(next)
  if (source.startsWith("/")) {
    const kind = source.startsWith("/dev/") ? "device" : "bind"
    return forbidden(`mount point type ${kind} is only allowed for root@pam`)
  }
  const allocates = /^([^:\s]+):\d+(?:\.\d+)?$/.exec(source)?.[1]
  return allocates === undefined
    ? volumeRefusal(call, source, { vmid: guest.vmid, content: "rootdir" })
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
 * root@pam may do is refused always (platform-facts 5.1, 5.2). `pool` is that of a new guest.
 */
export const keyRefusal = (
  call: Call,
  guest: Guest,
  key: string,
  next: string | undefined,
  pool?: string
): ApiFailure | undefined => {
  const { identity, machine } = call
  const lacks = (privilege: string): ApiFailure | undefined =>
    pool !== undefined && may(call, `/pool/${pool}`, privilege)
      ? undefined
      : missing(machine, identity, `/vms/${guest.vmid}`, [privilege])
  const check = { call, guest, lacks }
  if (key === "features") return featuresRefusal(check, next)
  if (key === "hookscript") return forbidden("changing the hookscript is only allowed for root@pam")
  if (/^dev\d+$/.test(key)) return forbidden("configuring device passthrough is only allowed for root@pam")
  if (/^(?:rootfs|mp\d+)$/.test(key)) return volumeKeyRefusal(check, next)
  if (/^net\d+$/.test(key)) {
    return lacks("VM.Config.Network") ??
      bridgeRefusal(machine, identity, guest.file.current.values.get(key)) ?? bridgeRefusal(machine, identity, next)
  }
  return lacks(keyPrivilege(key))
}

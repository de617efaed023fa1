import { type ApiFailure, died } from "./ApiFailure.ts"
import { type Call, may, missing } from "./Endpoint.ts"
import { parseVolid } from "./VolumeName.ts"

/**
 * Why the caller may not use a volume, there or not; undefined when it may (platform-facts 1.5.1, in its order). `vmid` is the
 * guest that the volume is for, and `content` what it has to be.
 */
export const volumeRefusal = (
  call: Call,
  volid: string,
  wanted: { readonly vmid?: number; readonly content?: string } = {}
): ApiFailure | undefined => {
  const { identity, machine } = call
  const named = parseVolid(machine, volid)
  if (named === undefined) {
    // Its line is told, since the text ends in no newline of its own.
    return died("Only root can pass arbitrary filesystem paths. at /usr/share/perl5/PVE/Storage.pm line 651.")
  }
  if (typeof named === "string") return died(named)
  const { content, owner, storage } = named
  const expected = wanted.content ?? content
  if (content !== expected && !(expected === "rootdir" && content === "images")) {
    return died(`unable to use volume ${volid} - content type needs to be '${expected}'`)
  }
  const onStorage = `/storage/${storage}`
  if (may(call, onStorage, "Datastore.Allocate")) return undefined
  if (["iso", "vztmpl", "import"].includes(content)) {
    return missing(machine, identity, onStorage, ["Datastore.AllocateSpace", "Datastore.Audit"], true)
  }
  if (owner !== undefined && owner === wanted.vmid) return undefined
  if (owner === undefined || !["backup", "images"].includes(content)) {
    return died(`missing privileges to access ${volid}`)
  }
  return content === "backup"
    ? missing(machine, identity, onStorage, ["Datastore.AllocateSpace"]) ??
      missing(machine, identity, `/vms/${owner}`, ["VM.Backup"])
    : missing(machine, identity, onStorage, ["Datastore.Audit"]) ??
      missing(machine, identity, `/vms/${owner}`, ["VM.Config.Disk"])
}

import { type ApiFailure, forbidden } from "./ApiFailure.ts"
import { type Call, may, missing } from "./Endpoint.ts"
import type { Volume } from "./Volume.ts"

/** Whether the caller may read a volume: undefined, or the 403 (platform-facts 1.5.1, in its order). */
export const volumeRefusal = (call: Call, storage: string, volume: Volume): ApiFailure | undefined => {
  const onStorage = `/storage/${storage}`
  if (may(call, onStorage, "Datastore.Allocate")) return undefined
  if (["iso", "vztmpl", "import"].includes(volume.content)) {
    return missing(call.machine, call.identity, onStorage, ["Datastore.AllocateSpace", "Datastore.Audit"], true)
  }
  if (volume.vmid === undefined) return forbidden()
  if (volume.content === "backup") {
    return missing(call.machine, call.identity, onStorage, ["Datastore.AllocateSpace"]) ??
      missing(call.machine, call.identity, `/vms/${volume.vmid}`, ["VM.Backup"])
  }
  return missing(call.machine, call.identity, onStorage, ["Datastore.Audit"]) ??
    missing(call.machine, call.identity, `/vms/${volume.vmid}`, ["VM.Config.Disk"])
}

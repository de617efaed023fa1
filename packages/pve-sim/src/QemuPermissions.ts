import { type ApiFailure, died } from "./ApiFailure.ts"
import { vmidOf } from "./CallParameters.ts"
import { type Call, may, missing } from "./Endpoint.ts"
import { bridgeRefusal, sourceOf } from "./LxcPermissions.ts"
import { newVolume } from "./LxcValues.ts"
import { isDrive, qemuKeyPrivileges } from "./QemuSchema.ts"
import { volumeRefusal } from "./VolumeAccess.ts"

/** What may be looked at before the machine is: the kind of a key alone tells (platform-facts 1.3). `pool` is that of a new one. */
const keyRefusal = (call: Call, key: string, pool: string | undefined): ApiFailure | undefined => {
  const { identity, machine } = call
  const privileges = qemuKeyPrivileges(key)
  // A plain die, no 403, as in Proxmox.
  if (privileges === undefined) return died(`only root can set '${key}' config`)
  const held = pool !== undefined && privileges.some((name) => may(call, `/pool/${pool}`, name))
  const refused = privileges.length === 0 || held
    ? undefined
    : missing(machine, identity, `/vms/${vmidOf(call)}`, privileges, privileges.length > 1)
  return refused ?? (key === "startup" ? missing(machine, identity, "/", ["Sys.Modify"]) : undefined)
}

/** What only the value of a new drive tells: where it is made, and whether the caller may have the volume. */
const driveRefusal = (call: Call, text: string): ApiFailure | undefined => {
  const { identity, machine } = call
  const source = sourceOf(text)
  const isCdrom = /(?:^|,)media=cdrom/.test(text)
  if (isCdrom && ["none", "cdrom"].includes(source)) {
    return source === "cdrom" ? missing(machine, identity, "/", ["Sys.Console"]) : undefined
  }
  const made = newVolume(source)
  if (made !== undefined) return missing(machine, identity, `/storage/${made.storage}`, ["Datastore.AllocateSpace"])
  return volumeRefusal(call, source, { vmid: vmidOf(call) })
}

const realDevice = (key: string, value: string): ApiFailure | undefined =>
  (/^serial\d+$/.test(key) && value !== "socket") || /^(?:usb|hostpci|virtiofs)\d+$/.test(key)
    ? died(`only root can set '${key}' config for real devices`)
    : undefined

const drivePrivilege = (text: string): string => /(?:^|,)media=cdrom/.test(text) ? "VM.Config.CDROM" : "VM.Config.Disk"

export const firstOf = (refusals: Iterable<ApiFailure | undefined>): ApiFailure | undefined =>
  Array.from(refusals).find((refused) => refused !== undefined)

/** Why keys of a machine that is there may not be written or removed; undefined when they may. */
export const changeRefusal = (
  call: Call,
  set: ReadonlyArray<readonly [key: string, value: string]>,
  named: ReadonlyArray<string>
): ApiFailure | undefined =>
  firstOf(named.map((key) => keyRefusal(call, key, undefined))) ??
    firstOf(set.map(([key, value]) => isDrive(key) ? driveRefusal(call, value) : undefined)) ??
    firstOf(
      set.map(([key, value]) => /^net\d+$/.test(key) ? bridgeRefusal(call.machine, call.identity, value) : undefined)
    ) ??
    firstOf(set.map(([key, value]) =>
      isDrive(key)
        ? missing(call.machine, call.identity, `/vms/${vmidOf(call)}`, [drivePrivilege(value)])
        : realDevice(key, value)
    ))

/** The same for a machine that is to be made, in the order of its making: its drives take the storage's leave alone. */
export const creationRefusal = (
  call: Call,
  set: ReadonlyArray<readonly [key: string, value: string]>,
  pool: string | undefined
): ApiFailure | undefined =>
  firstOf(set.map(([key, value]) => isDrive(key) ? driveRefusal(call, value) : undefined)) ??
    firstOf(set.map(([key]) => keyRefusal(call, key, pool))) ??
    firstOf(set.map(([key, value]) => realDevice(key, value))) ??
    firstOf(
      set.map(([key, value]) => /^net\d+$/.test(key) ? bridgeRefusal(call.machine, call.identity, value) : undefined)
    )

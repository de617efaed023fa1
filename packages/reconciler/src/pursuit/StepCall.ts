import { formatGuestRef, type GuestRef, type NodeName } from "@felhom/domain/ProxmoxId"
import type { Upid } from "@felhom/domain/Upid"
import type { IntendedCall } from "@felhom/durable/JournalWords"
import type { StepCount, WrittenKey } from "@felhom/durable/StepRecord"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect } from "effect"
import { identityText } from "../plan/Matching.ts"
import type { Action, BenignStep } from "../plan/PlanStep.ts"

/** What is done to a guest that is there. */
export type GuestAction = Exclude<Action, { readonly kind: "guest.make" }>

/** How long a guest is given to shut down; nothing follows when it has not. */
export const shutdownSeconds = 180

const taskType = ({ kind }: GuestAction, { type }: GuestRef): string | null => {
  const prefix = type === "lxc" ? "vz" : "qm"
  switch (kind) {
    case "guest.start":
      return `${prefix}start`
    case "guest.shutdown":
      return `${prefix}shutdown`
    case "volume.grow":
      return "resize"
    case "config.set":
    case "config.clear":
      // It is written before the answer comes (platform-facts 5.9).
      return null
  }
}

const callText = (action: GuestAction): string => {
  switch (action.kind) {
    case "guest.start":
      return "status/start"
    case "guest.shutdown":
      return "status/shutdown"
    case "volume.grow":
      return `resize ${action.volume} ${action.bytes}`
    case "config.set":
      return `config ${action.key}`
    case "config.clear":
      return `config delete ${action.key}`
  }
}

/** The call that the step comes to, and how its task is found if the answer is lost. */
export const stepCall = (action: GuestAction, ref: GuestRef, node: NodeName): IntendedCall => ({
  call: `${action.kind === "guest.start" || action.kind === "guest.shutdown" ? "POST" : "PUT"} /nodes/${node}/${
    formatGuestRef(ref)
  }/${callText(action)}`,
  vmid: ref.vmid,
  taskType: taskType(action, ref)
})

/** The key that it writes. */
export const stepWrite = (action: Action): WrittenKey | null =>
  action.kind === "config.set"
    ? { key: action.key, text: action.text }
    : action.kind === "config.clear"
    ? { key: action.key, text: null }
    : null

/** What it counts for; the same that the gate counts. */
export const stepCount = ({ action, guest }: BenignStep): StepCount => ({
  touched: action.kind === "guest.make" ? null : identityText(guest.type, guest.identity),
  created: action.kind === "guest.make",
  grown: action.kind === "volume.grow" ? action.by : 0
})

/** Makes the call, once. A UPID is to be waited for; null was done at once. */
export const makeCall = (
  action: GuestAction,
  ref: GuestRef,
  digest: string | null
): Effect.Effect<Upid | null, ProxmoxError, ProxmoxClient> =>
  Effect.flatMap(ProxmoxClient, (client): Effect.Effect<Upid | null, ProxmoxError> => {
    const seen = digest === null ? {} : { digest }
    switch (action.kind) {
      case "guest.start":
        return client.start(ref)
      case "guest.shutdown":
        return client.shutdown(ref, { timeoutSeconds: shutdownSeconds })
      case "volume.grow":
        return client.growVolume(ref, action.volume, { growTo: action.bytes }, seen)
      case "config.set":
        return client.setConfig(ref, { set: { [action.key]: action.text }, ...seen })
      case "config.clear":
        return client.setConfig(ref, { delete: [action.key], ...seen })
    }
  })

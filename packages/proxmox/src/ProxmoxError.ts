import { displayTextWithin } from "@felhom/domain/DisplayText"
import { PinMismatch } from "@felhom/domain/PeerPin"
import { Schema } from "effect"

/** What kind of refusal or failure it was (platform-facts 8 and 11): for code to act on, where `message` is for people. */
export const ProxmoxReason = Schema.Literal(
  "unauthorized",
  "forbidden",
  "invalid",
  "guest-not-found",
  "snapshot-not-found",
  "storage-not-found",
  "task-not-found",
  "node-not-found",
  "already-exists",
  "wrong-state",
  "locked",
  "lock-timeout",
  "conflict",
  "protected",
  "storage-offline",
  "no-quorum",
  /** The request may have been carried out: look for its effect before anything else is done. */
  "outcome-unknown",
  /** Certainly not carried out. */
  "not-started",
  "unsupported",
  "snapshot-impossible",
  /** Refused by the agent itself: such a change needs an operator's mandate. */
  "no-mandate",
  "refused-certificate",
  "unreachable",
  "malformed",
  "too-large",
  "other"
)
export type ProxmoxReason = typeof ProxmoxReason.Type

export const Method = Schema.Literal("GET", "POST", "PUT", "DELETE")
export type Method = typeof Method.Type

/**
 * A call to the Proxmox VE API that did not do what was asked.
 *
 * `path` is the API path without its parameters, `status` is null when there was no answer, `detail` are Proxmox's or the
 * network's own words and `errors` those per parameter. No field ever holds a secret. Texts come from the wire: show `message`,
 * which is safe for a terminal, rather than the fields.
 */
export class ProxmoxError extends Schema.TaggedError<ProxmoxError>()("ProxmoxError", {
  reason: ProxmoxReason,
  method: Method,
  path: Schema.String,
  /** `host:port` of the API. */
  host: Schema.String,
  /** As whom it was asked. */
  tokenId: Schema.String,
  status: Schema.NullOr(Schema.Int),
  detail: Schema.String,
  errors: Schema.Record({ key: Schema.String, value: Schema.String }),
  /** What the peer showed, for `refused-certificate`. */
  cause: Schema.optional(PinMismatch)
}) {
  override get message(): string {
    const status = this.status === null ? "" : ` (${this.status})`
    return `${this.method} ${displayTextWithin(this.path, 200)} on ${this.host}: ${advice[this.reason](this)}${status}`
  }
}

const shown = (text: string): string => displayTextWithin(text.trim(), 400)

const said = (error: ProxmoxError): string => {
  const parameters = Object.entries(error.errors).map(([name, text]) => `${shown(name)}: ${shown(text)}`)
  const words = [shown(error.detail), ...parameters].filter((text) => text !== "")
  return words.length === 0 ? "no reason was given" : words.join("; ")
}

const withAdvice = (what: string, next: string) => (error: ProxmoxError): string => `${what}: ${said(error)}. ${next}`

// "Permission check failed (/vms/101, VM.Audit|VM.Backup)" (platform-facts 3.4); other texts in the brackets have no path.
const permission = /Permission check failed \((\/[^,)]*), ([\w.|]+)\)/

const forbidden = (error: ProxmoxError): string => {
  const [, path, privileges] = permission.exec(error.detail) ?? []
  if (path === undefined || privileges === undefined) {
    return `not allowed for an API token: ${said(error)}. If it has to be done, root does it on the host`
  }
  const names = privileges.split("|")
  const which = names.length === 1 ? privileges : `one of ${names.join(", ")}`
  const user = error.tokenId.split("!")[0] ?? error.tokenId
  const perGuest = /^\/vms\/\d+$/.test(path) ? "; better on /, since a grant on a single guest dies with it" : ""
  return `the token lacks ${which} on ${shown(path)}. A token has only what its user has too, so grant both: ` +
    `pveum acl modify ${shown(path)} --roles <a role with it> --users ${shown(user)} --tokens '${
      shown(error.tokenId)
    }'${perGuest}`
}

const refusedCertificate = (error: ProxmoxError): string => error.cause?.message ?? said(error)

// Total over the reasons: a new one without advice does not compile.
const advice: { readonly [reason in ProxmoxReason]: (error: ProxmoxError) => string } = {
  unauthorized: (error) =>
    `Proxmox refused the API token ${
      shown(error.tokenId)
    }: the token id or its secret is wrong, the token expired or was ` +
    "removed, or its user is disabled. Proxmox says no more than this; the cause is in the host's syslog " +
    "(journalctl -u pveproxy -u pvedaemon)",
  forbidden,
  invalid: withAdvice("Proxmox refused a parameter", "Correct it and ask again"),
  "guest-not-found": withAdvice(
    "there is no such guest on this node",
    "Check its vmid, and whether it was moved or removed"
  ),
  "snapshot-not-found": withAdvice("the guest has no such snapshot", "Read its list of snapshots again"),
  "storage-not-found": withAdvice(
    "there is no such storage or volume",
    "Check its name in the datacenter's storage list"
  ),
  "task-not-found": withAdvice(
    "the node has no record of that task",
    "Its outcome is unknown: look at what it worked on"
  ),
  "node-not-found": withAdvice(
    "Proxmox knows no such node",
    "Set the node's own name as hostname prints it on the host"
  ),
  "already-exists": withAdvice("the name or number is taken", "Choose another one"),
  "wrong-state": withAdvice("the guest's present state does not allow it", "Read its status again"),
  locked: withAdvice(
    "another operation holds the guest",
    "Wait for it; if none runs, the lock was left behind and root clears it on the host with pct unlock or qm unlock"
  ),
  "lock-timeout": withAdvice("another operation held the guest's lock for too long", "Ask again when it has ended"),
  conflict: withAdvice("somebody changed it in between", "Read it again, then decide again"),
  protected: withAdvice("it is protected", "Only an operator lifts protection"),
  "storage-offline": withAdvice(
    "a storage can't be used right now",
    "Check that its disk is mounted or its server answers"
  ),
  "no-quorum": withAdvice(
    "the cluster has no quorum, so nothing can be changed",
    "Check the other nodes: pvecm status"
  ),
  "outcome-unknown": withAdvice(
    "no answer came in time, or none that can be read, and it may have been done all the same",
    "Look for its effect in the task list before it is asked for again"
  ),
  "not-started": withAdvice("nothing was done", "Check the daemon behind the API: systemctl status pvedaemon"),
  unsupported: withAdvice("this Proxmox VE does not know the call", "Check its version: 9.1 or newer is expected"),
  "snapshot-impossible": withAdvice(
    "the guest's volumes do not allow it",
    "A bind mount, or a volume on a directory storage, rules snapshots out"
  ),
  "no-mandate": withAdvice("the agent did not ask for it", "Such a change needs an operator's signed op"),
  "refused-certificate": refusedCertificate,
  unreachable: withAdvice(
    "there is no usable answer",
    "Check the address, and on the host: systemctl status pveproxy pvedaemon"
  ),
  malformed: withAdvice("the answer is not the Proxmox API's", "Check what else answers at this address"),
  "too-large": withAdvice("it is larger than allowed", "Narrow the question"),
  other: (error) =>
    error.detail.trim() === "" && Object.keys(error.errors).length === 0
      ? "Proxmox gave no reason; often its cluster file system is down: systemctl status pve-cluster"
      : `Proxmox refused: ${said(error)}`
}

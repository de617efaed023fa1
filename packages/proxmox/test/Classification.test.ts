import { classify, reasonOfText } from "@felhom/proxmox/Classification"
import { Method, type ProxmoxReason } from "@felhom/proxmox/ProxmoxError"
import { Option, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { type Recording, refusals } from "./Recordings.ts"

// What each recorded refusal is, by its status and its words, numbers left out.
const expected: { readonly [exchange: string]: ProxmoxReason } = {
  "301 Moved Permanently": "malformed",
  "400 bogus: property is not defined in schema and the schema does not allow additional properties": "unsupported",
  "400 description: value may only be N characters long": "invalid",
  "400 lxc.environment: property is not defined in schema and the schema does not allow additional properties":
    "unsupported",
  "400 lxc: property is not defined in schema and the schema does not allow additional properties": "unsupported",
  "400 memory: type check ('integer') failed - got 'lots'": "invalid",
  "400 mode: value 'magic' does not have a value in the enumeration 'snapshot, suspend, stop'": "invalid",
  "400 nosuchoption: property is not defined in schema and the schema does not allow additional properties":
    "unsupported",
  "400 onboot: type check ('boolean') failed - got 'perhaps'": "invalid",
  "400 restore: missing property required by 'unique'": "invalid",
  "400 size: value does not match the regex pattern": "invalid",
  "400 skiplock: Only root may use this option.": "invalid",
  "400 snapname: invalid format - invalid configuration ID 'N bad'": "invalid",
  "400 snapname: property is missing and it is not optional": "invalid",
  "400 snapname: value may only be N characters long": "invalid",
  "400 storage: No such storage.": "storage-not-found",
  "400 tmpdir: Only root may set this option.": "invalid",
  "400 upid: no such task": "task-not-found",
  "400 upid: unable to parse worker upid": "invalid",
  "400 vmid: invalid format - value does not look like a valid VM ID": "invalid",
  "400 vmid: property is missing": "invalid",
  "400 vmid: type check ('integer') failed - got 'abc'": "invalid",
  "400 x: property is not defined in schema and the schema does not allow additional properties": "unsupported",
  "401 Authentication failed!": "unauthorized",
  "401 No ticket": "unauthorized",
  "403 Permission check failed": "forbidden",
  "403 Permission check failed (/, Permissions.Modify)": "forbidden",
  "403 Permission check failed (/, Sys.Modify)": "forbidden",
  "403 Permission check failed (/access, Sys.Audit)": "forbidden",
  "403 Permission check failed (/nodes/demo-felhom, Sys.Audit)": "forbidden",
  "403 Permission check failed (/nodes/demo-felhom, Sys.PowerMgmt)": "forbidden",
  "403 Permission check failed (/nodes/demo-felhom, Sys.Syslog)": "forbidden",
  "403 Permission check failed (/storage, Datastore.Allocate)": "forbidden",
  "403 Permission check failed (/storage/ctstore, Datastore.AllocateSpace)": "forbidden",
  "403 Permission check failed (/storage/local, Datastore.Allocate)": "forbidden",
  "403 Permission check failed (/storage/local, Datastore.AllocateSpace)": "forbidden",
  "403 Permission check failed (/storage/local, Datastore.Audit|Datastore.AllocateSpace)": "forbidden",
  "403 Permission check failed (/vms/N, VM.Audit)": "forbidden",
  "403 Permission check failed (/vms/N, VM.Clone)": "forbidden",
  "403 Permission check failed (/vms/N, VM.Config.Disk)": "forbidden",
  "403 Permission check failed (/vms/N, VM.Config.Disk|VM.Config.CPU|VM.Config.Memory|VM.Config.Network|VM.Config.Options)":
    "forbidden",
  "403 Permission check failed (/vms/N, VM.Config.Memory)": "forbidden",
  "403 Permission check failed (/vms/N, VM.Config.Network)": "forbidden",
  "403 Permission check failed (/vms/N, VM.Config.Options)": "forbidden",
  "403 Permission check failed (/vms/N, VM.PowerMgmt)": "forbidden",
  "403 Permission check failed (/vms/N, VM.Snapshot)": "forbidden",
  "403 Permission check failed (/vms/N, VM.Snapshot|VM.Snapshot.Rollback)": "forbidden",
  "403 Permission check failed (changing feature flags (except nesting) is only allowed for root@pam)": "forbidden",
  "403 Permission check failed (changing feature flags for privileged container is only allowed for root@pam)":
    "forbidden",
  "403 Permission check failed (changing the hookscript is only allowed for root@pam)": "forbidden",
  "403 Permission check failed (configuring device passthrough is only allowed for root@pam)": "forbidden",
  "500 CT N already exists on node 'demo-felhom'": "already-exists",
  "500 CT N already running": "wrong-state",
  "500 CT N not running": "wrong-state",
  "500 CT is locked (backup)": "locked",
  "500 Configuration file 'nodes/demo-felhom/lxc/N.conf' does not exist": "guest-not-found",
  "500 RPCEnvironment init request failed: Unable to load access control list: Connection refused": "other",
  "500 can't lock file '/run/lock/lxc/pve-config-N.lock' - got timeout": "lock-timeout",
  "500 can't overwrite running container": "wrong-state",
  "500 can't remove CT N - protection mode enabled": "protected",
  "500 detected modified configuration - file changed by other user? Try again.": "conflict",
  "500 disk is already at specified size": "wrong-state",
  "500 hostname lookup 'nosuchnode' failed - failed to get address info for: nosuchnode: Temporary failure in name resolution":
    "node-not-found",
  "500 malformed JSON string, neither tag, array, object, number, string or atom, at character offset N (before \"(end of string)\") at /usr/share/perlN/PVE/APIServer/AnyEvent.pm line N.":
    "other",
  "500 mp: property is missing and it is not optional; volume: property is missing and it is not optional": "invalid",
  "500 no options specified": "invalid",
  "500 not a valid block device": "invalid",
  "500 snapshot 'nope' does not exist": "snapshot-not-found",
  "500 storage 'nosuch' does not exist": "storage-not-found",
  "500 unable to activate storage 'gone' - directory is expected to be a mount point but is not mounted: '/mnt/gone'":
    "storage-offline",
  "500 unable to destroy CT N - container is running": "wrong-state",
  "500 unable to restore CT N - protection mode enabled": "protected",
  "500 unable to shrink disk size": "invalid",
  "500 unable to use snapshot name 'current' (reserved name)": "invalid",
  "501 Method 'DELETE /nodes/demo-felhom/lxc/N/config' not implemented": "unsupported",
  "501 Method 'GET /nodes/demo-felhom/nosuch' not implemented": "unsupported",
  "501 Method 'GET /nosuch' not implemented": "unsupported",
  "501 Method 'POST /version' not implemented": "unsupported",
  "501 Unexpected content for method 'DELETE'": "unsupported",
  "501 Unexpected content for method 'GET'": "unsupported",
  "501 chunked transfer encoding not supported": "unsupported",
  "501 chunked transfer encoding not supported chunked transfer encoding not supported": "unsupported",
  "501 for data too large": "too-large",
  "501 for data too large for data too large": "unsupported",
  "506 upload 'Content-Type 'multipart/form-data; boundary=XX' not implemented": "unsupported",
  "506 upload 'Content-Type 'text/plain' not implemented": "unsupported",
  "595 Connection refused": "not-started",
  "596 Connection timed out": "unreachable"
}

const WithErrors = Schema.parseJson(
  Schema.Struct({ errors: Schema.Record({ key: Schema.String, value: Schema.String }) })
)

const keyOf = (recording: Recording): string => {
  const parameters = Schema.decodeUnknownOption(WithErrors)(recording.body).pipe(
    Option.map(({ errors }) =>
      Object.entries(errors).map(([name, text]) => `${name}: ${text.trim()}`).sort().join("; ")
    ),
    Option.getOrElse(() => recording.reason)
  )
  return `${recording.status} ${parameters.replace(/\d+/g, "N")}`
}

const isMethod = Schema.is(Method)

describe("the recorded refusals", () => {
  // HEAD, OPTIONS and PATCH are never sent.
  const ours = refusals.filter((recording) => isMethod(recording.method))

  it.each(ours.map((recording) => [recording.name, recording] as const))("%s", (_name, recording) => {
    const { body, method, status } = recording
    expect(isMethod(method)).toBe(true)
    if (!isMethod(method)) return
    expect(classify({ method, status, body }).reason).toBe(expected[keyOf(recording)])
  })

  it("include every kind that the table names", () => {
    expect([...new Set(ours.map(keyOf))].sort()).toEqual(Object.keys(expected).sort())
  })
})

describe("words that were not recorded", () => {
  it.each<readonly [text: string, reason: ProxmoxReason]>([
    ["VM 200 already exists on node 'demo'", "already-exists"],
    ["storage ID 'usb' already defined", "already-exists"],
    ["snapshot name 'a1' already used", "already-exists"],
    ["volume 'local:backup/x.tar.zst' does not exist", "storage-not-found"],
    ["Failed to obtain guest migration lock - replication running?", "lock-timeout"],
    ["checksum mismatch (file change by other user?)", "conflict"],
    ["cannot remove protected volume 'local:backup/x' on 'local'", "protected"],
    ["storage 'nas' is not online", "storage-offline"],
    ["storage 'nas' is disabled", "storage-offline"],
    ["storage 'nas' is not available on node 'demo'", "storage-offline"],
    ["Cannot find datastore 'main', check permissions and existence!", "storage-offline"],
    ["cluster not ready - no quorum?", "no-quorum"],
    ["snapshot feature is not available", "snapshot-impossible"],
    ["can't rollback, 'a' is not most recent snapshot on 'tank/subvol-101-disk-0'", "snapshot-impossible"],
    ["unable to restore CT 8004 - 403 Permission check failed (/, Sys.Modify)", "forbidden"],
    ["CT is locked (snapshot-delete)", "locked"]
  ])("%s", (text, reason) => {
    expect(reasonOfText(text)).toEqual(Option.some(reason))
    expect(classify({ method: "POST", status: 500, body: JSON.stringify({ data: null, message: `${text}\n` }) }))
      .toEqual({ reason, detail: text, errors: {} })
  })

  it("are other, with the words kept", () => {
    expect(reasonOfText("received interrupt")).toEqual(Option.none())
    expect(classify({ method: "GET", status: 500, body: "{\"data\":null,\"message\":\"out of cheese\\n\"}" })).toEqual({
      reason: "other",
      detail: "out of cheese",
      errors: {}
    })
  })
})

describe("an answer without Proxmox's own words", () => {
  it("leaves a write open when it came from the middle, and not a read", () => {
    for (const status of [502, 503, 504, 596, 597, 599]) {
      expect(classify({ method: "POST", status, body: "" }).reason).toBe("outcome-unknown")
      expect(classify({ method: "GET", status, body: "" }).reason).toBe("unreachable")
    }
  })

  it("was certainly not carried out when the backend refused the connection", () => {
    expect(classify({ method: "POST", status: 595, body: "" }).reason).toBe("not-started")
  })

  it("is no answer of the API when it is a page or a redirect", () => {
    const body = "<html><body>502 Bad Gateway</body></html>"
    expect(classify({ method: "GET", status: 404, body }).reason).toBe("malformed")
    expect(classify({ method: "POST", status: 500, body }).reason).toBe("outcome-unknown")
    expect(classify({ method: "GET", status: 301, body: "Moved Permanently" }).reason).toBe("malformed")
  })
})

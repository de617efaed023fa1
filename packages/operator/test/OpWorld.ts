import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { guest } from "./HostBuilder.ts"
import { folder, makeHost, makeHub, makePerson } from "./TrustWorld.ts"

const program = "ssh-keygen"

/** Asks ssh-keygen itself. */
export const sshKeygen = (args: ReadonlyArray<string>, input: string | Uint8Array = "") =>
  spawnSync(program, args, { input, encoding: "utf8" })

/** Why ssh-keygen can't be asked on this machine, for a test's name; undefined where it can. */
export const noSshKeygen = sshKeygen(["-Q", "key"]).error === undefined
  ? undefined
  : "skipped: this machine has no ssh-keygen"

export const now = Date.now()

const ok = <A>(value: A) => ({ state: "ok", readAt: now, value }) as const

export const volid = "local:101/vm-101-disk-0.raw"

export const identified = (vmid: number, more: object = {}) =>
  guest(vmid, {
    config: ok({
      identity: { hwaddrs: [`BC:24:11:00:00:${vmid % 100}`], volumes: [volid], smbiosUuid: null, key: null },
      hash: "c".repeat(64),
      protection: false,
      onboot: true,
      description: null
    }),
    snapshots: ok([{
      name: "before",
      description: "",
      parent: null,
      takenAt: 1_790_000_000,
      incomplete: false
    }]),
    ...more
  })

export const trust = {
  opEpoch: "e".repeat(32),
  storeSeq: 7,
  signers: "a".repeat(64),
  policy: null,
  hold: null
}

export const archive = {
  volid: "nas:backup/vzdump-lxc-101-2026_09_21-10_00_00.tar.zst",
  guest: 101,
  guestType: "lxc",
  createdAt: 1_790_000_000,
  size: 3 * 1024 ** 3,
  protected: false
}

/** A host's report that says all that ops need to know. */
export const opReport = (guests: ReadonlyArray<object>, more: { readonly [key: string]: unknown } = {}) => ({
  inventory: {
    guests: ok(guests),
    storages: ok([
      { storage: "nas", type: "nfs", content: ["backup"], shared: true, enabled: true, active: true }
    ]),
    disks: ok([]),
    policyHash: null,
    desired: null,
    hold: false
  },
  sections: {
    storage: ok([]),
    backup: ok([archive]),
    restore: { state: "unavailable", reason: "no drill is set up" },
    pbs: ok([]),
    audit: { state: "unavailable", reason: "there is no audit chain yet" }
  },
  trust,
  ...more
})

/** A key that ssh-keygen made, in a file. */
export const makeKey = (directory: string, name: string, type = "ed25519"): string => {
  const path = join(directory, name)
  const { status, stderr } = sshKeygen(["-q", "-t", type, "-N", "", "-C", name, "-f", path])
  if (status !== 0) throw new Error(stderr)
  return path
}

/** A hub, its admin, an operator with a key, and a host that both know and that has reported. */
export const opWorld = (
  guests: ReadonlyArray<object> = [identified(101, { name: "blog" }), identified(102, { name: "wiki" })]
) =>
  Effect.gen(function*() {
    const hub = yield* makeHub
    const admin = yield* makePerson(hub, yield* hub.token("admin"))
    const host = yield* makeHost(hub, "attic")
    const [token = ""] = (yield* admin.felhom(["enrol"])).out.split("\n")
    yield* Effect.flip(host.enrol(token))
    yield* admin.felhom(["accept", host.code])
    yield* host.enrol(token)
    yield* host.send(opReport(guests))
    const keys = yield* folder
    const operator = yield* makePerson(hub, yield* hub.token("operator", "anna"))
    yield* operator.felhom(["trust", "attic"], { types: host.code })
    return { hub, admin, host, operator, keys, key: makeKey(keys, "anna") }
  })

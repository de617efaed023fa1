import { describe, it } from "@effect/vitest"
import { agentPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, TestClock } from "effect"
import { expect } from "vitest"
import { ask, logOf, node, secrets, statusOf, upidOf } from "./Asking.ts"

// Cloning takes VM.Clone, which the sixteen leave out (platform-facts 2.2).
const cloning = Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: [...agentPrivileges, "VM.Clone"] } }))

const form = (fields: { readonly [name: string]: string }): string =>
  Object.entries(fields).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&")

const vm = `${node}/qemu/200`

const clone = (fields: { readonly [name: string]: string }) =>
  ask("POST", `${vm}/clone`, form({ newid: "300", ...fields }))

const endOf = (upid: string) =>
  Effect.gen(function*() {
    yield* TestClock.adjust("20 seconds")
    const { data } = yield* statusOf(upid)
    return /"exitstatus":"(.*?[^\\])"/.exec(JSON.stringify(data))?.[1]
  })

const configOf = (vmid: number) => Effect.map(ask("GET", `${node}/qemu/${vmid}/config`), ({ data }) => data)

const asTemplate = Effect.gen(function*() {
  const upid = upidOf(yield* ask("POST", `${vm}/template`, ""))
  expect(upid).toContain(":qmtemplate:200:")
  expect(yield* endOf(upid)).toBe("OK")
})

describe("a clone of a virtual machine", () => {
  it.effect("is a full one of a machine, with addresses, identity and disk of its own", () =>
    Effect.gen(function*() {
      const upid = upidOf(yield* clone({ storage: "ctstore" }))
      expect(upid).toContain(":qmclone:200:")
      expect(yield* endOf(upid)).toBe("OK")
      expect(yield* configOf(300)).toEqual({
        boot: "order=scsi0;net0",
        cores: 1,
        description: "vm note 2",
        digest: expect.any(String),
        memory: "256",
        meta: "creation-qemu=10.1.2,ctime=1795305067",
        name: "Copy-of-VM-vm-sample",
        net0: expect.stringMatching(/^virtio=BC:24:11:(?!C5:B0:68)[0-9A-F:]{8},bridge=vmbr0$/),
        scsi0: "ctstore:300/vm-300-disk-0.raw,size=1G",
        smbios1: expect.stringMatching(/^uuid=(?!1741368e)/),
        vmgenid: expect.not.stringMatching(/^c9f22ee7/)
      })
      expect(JSON.stringify((yield* logOf(upid)).data)).toContain(
        "create full clone of drive scsi0 (local:200/vm-200-disk-0.raw)"
      )
    }).pipe(cloning))

  it.effect("is a linked one of a template, and names what it stands on; a template does not start", () =>
    Effect.gen(function*() {
      yield* asTemplate
      expect(yield* configOf(200)).toMatchObject({ template: 1, scsi0: "local:200/base-200-disk-0.raw,size=1G" })
      expect(yield* endOf(upidOf(yield* clone({ name: "web", description: "mine" })))).toBe("OK")
      expect(yield* configOf(300)).toMatchObject({
        name: "web",
        description: "mine",
        scsi0: "local:200/base-200-disk-0.raw/300/vm-300-disk-0.qcow2,size=1G"
      })
      expect(yield* configOf(300)).not.toHaveProperty("template")
      expect(yield* endOf(upidOf(yield* ask("POST", `${node}/qemu/300/status/start`, "")))).toBe("OK")
      expect(yield* endOf(upidOf(yield* ask("POST", `${vm}/status/start`, "")))).toContain("template")
      expect(yield* endOf(upidOf(yield* clone({ newid: "301", full: "1" })))).toBe("OK")
      expect(yield* configOf(301)).toMatchObject({ scsi0: "local:301/vm-301-disk-0.raw,size=1G" })
    }).pipe(cloning))

  it.effect("that can't be is refused before its task", () =>
    Effect.gen(function*() {
      const reasonOf = (fields: { readonly [name: string]: string }) =>
        Effect.map(clone(fields), ({ reason }) => reason)
      expect(yield* reasonOf({ full: "0" })).toBe(
        "Linked clone feature is not supported for 'local:200/vm-200-disk-0.raw' (scsi0)"
      )
      expect(yield* reasonOf({ full: "0", storage: "local" })).toBe("parameter 'storage' not allowed for linked clones")
      expect(yield* reasonOf({ newid: "200" })).toBe("unable to create VM 200: config file already exists")
      expect(yield* reasonOf({ snapname: "nope" })).toBe("snapshot 'nope' does not exist")
      expect((yield* clone({ newid: "101" })).status).toBe(501)
      expect((yield* ask("POST", `${node}/qemu/4711/clone`, form({ newid: "300" }))).reason).toContain("does not exist")
      yield* asTemplate
      expect((yield* ask("POST", `${vm}/template`, "")).reason).toBe("you can't convert a template to a template")
    }).pipe(cloning))

  it.effect("takes VM.Clone, which an agent's token has not", () =>
    Effect.gen(function*() {
      expect(yield* clone({})).toMatchObject({
        status: 403,
        reason: "Permission check failed (/vms/200, VM.Clone)"
      })
    }).pipe(Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: agentPrivileges } }))))
})

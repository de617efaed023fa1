import { it } from "@effect/vitest"
import { agentPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect } from "effect"
import { expect } from "vitest"
import { ask, node, secrets } from "./Asking.ts"

const config = `${node}/lxc/9999/config`

const role = (roleid: string, privs: ReadonlyArray<string>) =>
  Effect.flatMap(PveSim, (sim) => sim.change({ _tag: "role.set", roleid, privs }))

const grant = (
  path: string,
  ugid: string,
  roleid: string,
  propagate: 0 | 1 = 1
) =>
  Effect.flatMap(PveSim, (sim) =>
    sim.change({
      _tag: "acl.add",
      entry: { path, ugid, roleid, propagate, type: ugid.includes("!") ? "token" : "user" }
    }))

const held = (path: string, token = "agent") =>
  Effect.map(ask("GET", `/api2/json/access/permissions?path=${path}`, undefined, token), ({ data }) => data)

it.effect("a token with separated privileges holds only what its user holds, too", () =>
  Effect.gen(function*() {
    yield* role("Wide", ["VM.Audit", "VM.Allocate"])
    yield* role("Narrow", ["VM.Audit"])
    yield* grant("/vms/101", "felhom-agent@pve", "Narrow")
    yield* grant("/vms/101", "felhom-agent@pve!agent", "Wide")
    yield* grant("/vms/102", "felhom-agent@pve", "Wide")
    yield* grant("/vms/102", "felhom-agent@pve!agent", "Narrow")
    expect(yield* held("/vms/101")).toEqual({ "/vms/101": { "VM.Audit": 1 } })
    expect(yield* held("/vms/102")).toEqual({ "/vms/102": { "VM.Audit": 1 } })
    // The user alone has the rights that the world gives it; its token without an entry has none of them.
    expect(yield* held("/vms/9999", "noacl")).toEqual({ "/vms/9999": {} })
  }).pipe(Effect.provide(PveSim.layer({ secrets }))))

it.effect("a token without separated privileges holds what its user holds", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    yield* sim.change({
      _tag: "token.add",
      tokenid: "felhom-agent@pve!whole",
      privsep: 0,
      expire: 0,
      secret: "whole-secret"
    })
    expect((yield* ask("GET", config, undefined, "whole")).status).toBe(200)
    yield* sim.change({ _tag: "acl.remove", path: "/", ugid: "felhom-agent@pve" })
    expect((yield* ask("GET", config, undefined, "whole")).reason).toBe("Permission check failed (/vms/9999, VM.Audit)")
  }).pipe(Effect.provide(PveSim.layer({ secrets }))))

it.effect("an entry deeper down replaces what came from above", () =>
  Effect.gen(function*() {
    yield* role("Snapshots", ["VM.Snapshot"])
    yield* grant("/vms/9999", "felhom-agent@pve!agent", "Snapshots")
    expect((yield* ask("GET", config)).status).toBe(403)
    expect((yield* ask("GET", `${node}/lxc/101/config`)).status).toBe(200)
    expect(yield* held("/vms/9999")).toEqual({ "/vms/9999": { "VM.Snapshot": 1 } })
  }).pipe(Effect.provide(PveSim.layer({ secrets }))))

it.effect("NoAccess takes everything away", () =>
  Effect.gen(function*() {
    yield* grant("/vms/9999", "felhom-agent@pve", "NoAccess")
    expect(yield* held("/vms/9999")).toEqual({ "/vms/9999": {} })
  }).pipe(Effect.provide(PveSim.layer({ secrets }))))

it.effect("an entry that does not propagate holds on its own path, with value 0, and not below", () =>
  Effect.gen(function*() {
    yield* role("Snapshots", ["VM.Snapshot", "VM.Audit"])
    yield* grant("/vms", "felhom-agent@pve!noacl", "Snapshots", 0)
    expect(yield* held("/vms", "noacl")).toEqual({ "/vms": { "VM.Snapshot": 0, "VM.Audit": 0 } })
    expect(yield* held("/vms/9999", "noacl")).toEqual({ "/vms/9999": {} })
    yield* grant("/vms/9999", "felhom-agent@pve!noacl", "Snapshots", 0)
    expect((yield* ask("GET", config, undefined, "noacl")).status).toBe(200)
  }).pipe(Effect.provide(PveSim.layer({ secrets }))))

it.effect("the role's privileges can be set to the agent's sixteen", () =>
  Effect.gen(function*() {
    expect(agentPrivileges).toHaveLength(16)
    const { data } = yield* ask("GET", "/api2/json/access/roles/FelhomAgent")
    expect(data).toEqual(Object.fromEntries(agentPrivileges.map((name) => [name, 1])))
    expect((yield* ask("PUT", config, "memory=256")).status).toBe(200)
  }).pipe(Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: agentPrivileges } }))))

it.effect("a privilege is asked for before the parameters are read, and they before the guest is looked for", () =>
  Effect.gen(function*() {
    const nowhere = `${node}/lxc/4711/config`
    expect((yield* ask("PUT", nowhere, "memory=lots", "noacl")).status).toBe(403)
    expect((yield* ask("PUT", nowhere, "memory=lots")).errors).toEqual({
      memory: "type check ('integer') failed - got 'lots'"
    })
    expect((yield* ask("PUT", nowhere, "onboot=1")).reason)
      .toBe("Configuration file 'nodes/demo-felhom/lxc/4711.conf' does not exist")
  }).pipe(Effect.provide(PveSim.layer({ secrets }))))

it.effect("what only root may change is refused by name, whatever the role holds", () =>
  Effect.gen(function*() {
    const refused = (form: string) => Effect.map(ask("PUT", config, form), ({ reason }) => reason)
    expect(yield* refused("features=keyctl%3D1%2Cnesting%3D1"))
      .toBe("Permission check failed (changing feature flags (except nesting) is only allowed for root@pam)")
    expect(yield* refused("features=nesting%3D1")).toBe("OK")
    expect(yield* refused("hookscript=local%3Asnippets%2Fhook.sh"))
      .toBe("Permission check failed (changing the hookscript is only allowed for root@pam)")
    expect(yield* refused("delete=dev0"))
      .toBe("Permission check failed (configuring device passthrough is only allowed for root@pam)")
    expect(yield* refused("mp0=%2Fsrv%2Cmp%3D%2Fsrv"))
      .toBe("Permission check failed (mount point type bind is only allowed for root@pam)")
  }).pipe(Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: agentPrivileges } }))))

import { it } from "@effect/vitest"
import { agentPrivileges, allPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect } from "effect"
import { expect } from "vitest"
import { ask, node, secrets } from "./Asking.ts"

const access = "/api2/json/access"
const asAgent = Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: agentPrivileges } }))
const asAdmin = Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: allPrivileges } }))

const told = (method: string, path: string, form?: string) =>
  Effect.map(ask(method, path, form), ({ reason, status }) => `${status} ${reason}`)

const held = (userid: string, path: string) =>
  Effect.map(
    ask("GET", `${access}/permissions?userid=${encodeURIComponent(userid)}&path=${path}`),
    ({ data }) => Object.keys(Object(data)[path]).toSorted()
  )

it.effect("a user, a group and a role are made, joined by the ACL, and the user holds what the group was given", () =>
  Effect.gen(function*() {
    expect(yield* told("POST", `${access}/groups`, "groupid=ops&comment=night+shift")).toBe("200 OK")
    expect(yield* told("POST", `${access}/roles`, "roleid=Peek&privs=VM.Audit%2CVM.Console")).toBe("200 OK")
    expect(yield* told("POST", `${access}/users`, "userid=ann@pve&groups=ops&email=ann%40example.org")).toBe("200 OK")
    expect(yield* told("PUT", `${access}/acl`, "path=/vms&roles=Peek&groups=ops")).toBe("200 OK")
    expect(yield* held("ann@pve", "/vms/9999")).toEqual(["VM.Audit", "VM.Console"])
    expect((yield* ask("GET", `${access}/groups/ops`)).data).toEqual({ comment: "night shift", members: ["ann@pve"] })
    // What is given to the user itself counts instead of what its groups were given on the same path.
    yield* ask("POST", `${access}/roles`, "roleid=Start&privs=VM.PowerMgmt")
    yield* ask("PUT", `${access}/acl`, "path=/vms&roles=Start&users=ann@pve")
    expect(yield* held("ann@pve", "/vms/9999")).toEqual(["VM.PowerMgmt"])
    // Only the role that is named is taken away.
    yield* ask("POST", `${access}/roles`, "roleid=Look&privs=VM.Console")
    yield* ask("PUT", `${access}/acl`, "path=/vms&roles=Look&users=ann@pve")
    yield* ask("PUT", `${access}/acl`, "path=/vms&roles=Start&users=ann@pve&delete=1")
    expect(yield* held("ann@pve", "/vms/9999")).toEqual(["VM.Console"])
    expect(yield* told("DELETE", `${access}/users/ann@pve`)).toBe("200 OK")
    expect((yield* ask("GET", `${access}/groups/ops`)).data).toMatchObject({ members: [] })
  }).pipe(asAdmin))

it.effect("what is held follows a change of the role at once", () =>
  Effect.gen(function*() {
    const config = ask("GET", `${node}/lxc/9999/config`)
    expect((yield* config).status).toBe(200)
    yield* ask("PUT", `${access}/roles/FelhomAgent`, "privs=Sys.Modify")
    expect((yield* config).reason).toBe("Permission check failed (/vms/9999, VM.Audit)")
    yield* ask("PUT", `${access}/roles/FelhomAgent`, "privs=VM.Audit&append=1")
    expect((yield* config).status).toBe(200)
  }).pipe(asAdmin))

it.effect("a new token's secret is told once and works at once, and the token is gone when it is deleted", () =>
  Effect.gen(function*() {
    const path = `${access}/users/felhom-agent@pve/token/second`
    // The token needs User.Modify over its own user.
    const { data } = yield* ask("POST", path, "privsep=0&comment=spare")
    expect(data).toEqual({
      "full-tokenid": "felhom-agent@pve!second",
      value: expect.stringMatching(/^[0-9a-f-]{36}$/),
      info: { privsep: "0", comment: "spare" }
    })
    expect((yield* ask("GET", path)).data).toEqual({ privsep: 0, expire: 0, comment: "spare" })
    const sim = yield* PveSim
    const asSecond = Effect.map(
      sim.handle({
        method: "GET",
        path: `${node}/lxc/9999/config`,
        query: "",
        headers: { authorization: `PVEAPIToken=felhom-agent@pve!second=${Object(data).value}` },
        body: new Uint8Array()
      }),
      ({ status }) => status
    )
    expect(yield* asSecond).toBe(200)
    expect((yield* ask("POST", path, "")).errors).toEqual({ tokenid: "Token already exists." })
    yield* ask("PUT", path, "privsep=1")
    expect(yield* asSecond).toBe(403)
    expect(yield* told("DELETE", path)).toBe("200 OK")
    expect(yield* told("GET", path)).toBe("500 no such token 'second' for user 'felhom-agent@pve'")
  }).pipe(asAdmin))

it.effect("errors in writing users, groups, roles and ACLs are Proxmox's own", () =>
  Effect.gen(function*() {
    const errors = (method: string, path: string, form: string) =>
      Effect.map(ask(method, `${access}${path}`, form), ({ errors }) => errors)
    expect(yield* told("PUT", `${access}/acl`, "path=/vms&roles=Nope&users=root@pam"))
      .toBe("500 ACL update failed: role 'Nope' does not exist")
    expect(yield* told("PUT", `${access}/acl`, "path=/vms&roles=PVEAuditor&users=nobody@pve"))
      .toBe("500 ACL update failed: user 'nobody@pve' does not exist")
    expect(yield* told("PUT", `${access}/acl`, "path=/vms&roles=PVEAuditor&tokens=root@pam!no"))
      .toBe("500 ACL update failed: no such token 'no' for user 'root@pam'")
    expect(yield* errors("PUT", "/acl", "path=/nowhere&roles=PVEAuditor&users=root@pam"))
      .toEqual({ path: "invalid ACL path '/nowhere'" })
    expect(yield* errors("PUT", "/acl", "path=/vms&roles=PVEAuditor"))
      .toMatchObject({ users: "either 'users', 'groups' or 'tokens' is required." })
    expect(yield* errors("POST", "/roles", "roleid=pveMine"))
      .toEqual({ roleid: "cannot use role ID starting with the (case-insensitive) 'PVE' namespace" })
    expect(yield* errors("POST", "/roles", "roleid=Mine&privs=VM.Monitor"))
      .toEqual({ privs: "invalid format - invalid privilege 'VM.Monitor'\n" })
    expect(yield* told("POST", `${access}/roles`, "roleid=FelhomAgent"))
      .toBe("500 create role failed: role 'FelhomAgent' already exists")
    expect(yield* told("DELETE", `${access}/roles/PVEAdmin`)).toBe(
      "500 auto-generated role 'PVEAdmin' cannot be deleted"
    )
    expect(yield* told("PUT", `${access}/groups/none`, "comment=x"))
      .toBe("500 update group failed: group 'none' does not exist")
    expect(yield* told("POST", `${access}/users`, "userid=root@pam"))
      .toBe("500 create user failed: user 'root@pam' already exists")
    expect(yield* told("POST", `${access}/users`, "userid=bob@pve&groups=none"))
      .toBe("500 create user failed: no such group 'none'")
    expect(yield* errors("POST", "/users", "userid=bob"))
      .toEqual({ userid: "invalid format - value 'bob' does not look like a valid user name\n" })
    expect(yield* told("GET", `${access}/users/ghost@pve`)).toBe("500 no such user ('ghost@pve')")
  }).pipe(asAdmin))

it.effect("the agent hands on at a guest what it holds there, and nothing more", () =>
  Effect.gen(function*() {
    const grant = (role: string, more = "") =>
      told("PUT", `${access}/acl`, `path=/vms/9999&roles=${role}&tokens=felhom-agent@pve!noacl${more}`)
    expect(yield* grant("FelhomAgent")).toBe("200 OK")
    expect((yield* ask("GET", `${node}/lxc/9999/config`, undefined, "noacl")).status).toBe(200)
    expect(yield* grant("PVEVMAdmin")).toBe("500 ACL update failed: 400 Parameter verification failed.")
    expect(yield* grant("FelhomAgent", "&delete=1")).toBe("200 OK")
    expect((yield* ask("GET", `${node}/lxc/9999/config`, undefined, "noacl")).status).toBe(403)
    expect(yield* told("PUT", `${access}/acl`, "path=/vms&roles=FelhomAgent&users=root@pam"))
      .toBe("403 Permission check failed (/vms, Permissions.Modify)")
  }).pipe(asAgent))

it.effect("who may not write is told what is missing", () =>
  Effect.gen(function*() {
    const failed = (what: string) => `403 Permission check failed (${what})`
    expect(yield* told("POST", `${access}/roles`, "roleid=x")).toBe(failed("/access, Sys.Modify"))
    expect(yield* told("POST", `${access}/groups`, "groupid=x")).toBe(failed("/access/groups, Group.Allocate"))
    expect(yield* told("DELETE", `${access}/users/root@pam`)).toBe(failed("/access/realm/pam, Realm.AllocateUser"))
    expect(yield* told("PUT", `${access}/users/root@pam`, "comment=x")).toBe(failed("/access/groups, User.Modify"))
    expect(yield* told("PUT", `${access}/users/felhom-agent@pve/token/agent`, "comment=x"))
      .toBe("403 Permission check failed")
    expect(yield* told("POST", "/api2/json/pools", "poolid=home")).toBe(failed("/pool/home, Pool.Allocate"))
  }).pipe(asAgent))

it.effect("a pool lends its ACL to its members, and is not deleted before it is empty", () =>
  Effect.gen(function*() {
    const pools = "/api2/json/pools"
    expect(yield* told("POST", pools, "poolid=home")).toBe("200 OK")
    expect(yield* told("PUT", pools, "poolid=home&vms=101%2C9999&storage=local")).toBe("200 OK")
    expect((yield* ask("GET", `${pools}?poolid=home`)).data).toMatchObject([{
      poolid: "home",
      members: [{ id: "lxc/101" }, { id: "lxc/9999" }, { id: "storage/demo-felhom/local" }]
    }])
    yield* ask("POST", `${access}/users`, "userid=ann@pve")
    yield* ask("PUT", `${access}/acl`, "path=/pool/home&roles=PVEVMUser&users=ann@pve")
    expect(yield* held("ann@pve", "/vms/101")).toContain("VM.PowerMgmt")
    expect(yield* held("ann@pve", "/vms/102")).toEqual([])
    yield* ask("POST", pools, "poolid=other")
    expect(yield* told("PUT", pools, "poolid=other&vms=101"))
      .toBe("500 update pools failed: VM 101 belongs already to pool 'home' and allow-move is not set")
    expect(yield* told("DELETE", `${pools}?poolid=home`))
      .toBe("500 delete pool failed: pool 'home' is not empty (contains VM 101)")
    yield* ask("PUT", pools, "poolid=home&vms=101%2C9999&storage=local&delete=1")
    expect(yield* held("ann@pve", "/vms/101")).toEqual([])
    expect(yield* told("DELETE", `${pools}?poolid=home`)).toBe("200 OK")
  }).pipe(asAdmin))

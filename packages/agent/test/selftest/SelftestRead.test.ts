import { describe, it } from "@effect/vitest"
import { selftestRead } from "@felhom/agent/selftest/SelftestRead"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect } from "effect"
import { expect } from "vitest"
import { host, type HostOptions, secret, stepsOf } from "./SimulatedHost.ts"

const read = (options: HostOptions = {}) => stepsOf(selftestRead).pipe(Effect.provide(host(options)))

const failures = (steps: ReadonlyArray<string>): ReadonlyArray<string> =>
  steps.filter((step) => step.startsWith("failed"))

describe("selftest read", () => {
  it.effect("passes with a token of exactly the 16 privileges", () =>
    Effect.gen(function*() {
      expect(yield* read()).toEqual([
        "passed version: Proxmox VE 9.2.11",
        "passed node: demo-felhom is online",
        "passed guests: 4 visible: lxc/101 on-dir, lxc/102 future, lxc/9999 tiny, qemu/200 vm-sample",
        "passed storages: 2 visible: ctstore (btrfs), local (dir)",
        "passed permissions: the token felhom-agent@pve!agent holds all that the agent needs"
      ])
    }))

  for (const privilege of agentPrivileges) {
    it.effect(`fails without ${privilege}, and prints the line that gives it`, () =>
      Effect.gen(function*() {
        const steps = yield* read({ privileges: agentPrivileges.filter((one) => one !== privilege) })
        const last = failures(steps).at(-1) ?? ""
        expect(last).toContain(`lacks ${privilege} on /`)
        expect(last).toContain(`pveum role modify FelhomAgent --append --privs '${privilege}'`)
      }))
  }

  it.effect("does not call a host empty that the token may not see", () =>
    Effect.gen(function*() {
      const steps = yield* read({ tokenId: "felhom-agent@pve!noacl" })
      expect(failures(steps).join("\n")).toContain("may do nothing here")
      expect(failures(steps).join("\n")).toContain(
        "pveum acl modify / --tokens 'felhom-agent@pve!noacl' --roles FelhomAgent"
      )
    }))

  it.effect("ends at a wrong secret, without showing it", () =>
    Effect.gen(function*() {
      const presented = "00000000-0000-0000-0000-000000000000"
      const steps = yield* read({ presented })
      expect(steps).toHaveLength(1)
      expect(steps[0]).toContain("refused the API token felhom-agent@pve!agent")
      expect(steps.join()).not.toContain(presented)
      expect(steps.join()).not.toContain(secret)
    }))

  it.effect("names the nodes that there are when the configured one is not among them", () =>
    Effect.gen(function*() {
      const steps = yield* read({ node: "nosuch" })
      expect(failures(steps)[0]).toContain("there is no node nosuch here, but demo-felhom")
    }))

  it.effect("takes HTML for what it is: not the API", () =>
    Effect.gen(function*() {
      const steps = yield* read({ tamper: () => "<!DOCTYPE html><title>Login</title>" })
      expect(steps).toHaveLength(1)
      expect(steps[0]).toContain("the answer is not the Proxmox API's")
    }))

  it.effect("shows guests with hostile names without obeying them", () =>
    Effect.gen(function*() {
      const steps = yield* read({
        tamper: (path, body) =>
          path.endsWith("/lxc")
            ? body.replace("\"on-dir\"", JSON.stringify("<script>"))
              .replace("\"future\"", JSON.stringify("a\u001b[2J\u202eb"))
              .replace("\"tiny\"", JSON.stringify("🦊"))
            : body
      })
      expect(steps.find((step) => step.includes("guests"))).toBe(
        "passed guests: 4 visible: lxc/101 <script>, lxc/102 a\\u001b[2J\\u202eb, lxc/9999 🦊, qemu/200 vm-sample"
      )
    }))

  it.effect("notes a storage that is enabled and not there", () =>
    Effect.gen(function*() {
      const steps = yield* read({
        tamper: (path, body) =>
          path.endsWith("/storage") && path.includes("/nodes/") ? body.replace(/"active":1/, "\"active\":0") : body
      })
      expect(steps.some((step) => step.startsWith("note storages: ") && step.includes("enabled but not active"))).toBe(
        true
      )
    }))
})

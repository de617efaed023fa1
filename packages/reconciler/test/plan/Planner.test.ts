import { describe, it } from "@effect/vitest"
import { plan } from "@felhom/reconciler/plan/Planner"
import { expect } from "vitest"
import { guestOf, hostOf, isBenign, openPolicy, planOne, policyOf, stateOf, told, wishFor } from "./ModelHost.ts"

describe("the order of a plan", () => {
  it("shuts down against the host's startup order, changes, and starts in that order", () => {
    const guests = [
      guestOf({ vmid: 101, config: { startup: "order=1" } }),
      guestOf({ vmid: 102, config: { startup: "2" } }),
      guestOf({ vmid: 103, status: "stopped", config: { startup: "order=9" } }),
      guestOf({ vmid: 104, status: "stopped", config: { startup: 0 } }),
      guestOf({ vmid: 105, status: "stopped" }),
      guestOf({ vmid: 106, status: "stopped", config: { startup: "order=x" } })
    ]
    const power = (vmid: number) => vmid < 103 ? "stopped" : "running"
    const wishes = guests.map((guest) => wishFor(guest, { power: power(guest.ref.vmid), cores: 2 }))
    const ids = plan(stateOf(...wishes), hostOf(guests), openPolicy).steps.map(({ id }) => id)
    expect(ids).toEqual([
      "lxc/102 guest.shutdown",
      "lxc/101 guest.shutdown",
      ...guests.map(({ ref }) => `lxc/${ref.vmid} config.set cores`),
      "lxc/104 guest.start",
      "lxc/103 guest.start",
      "lxc/105 guest.start",
      "lxc/106 guest.start"
    ])
  })

  it("goes by the startup order that is wished for", () => {
    const guests = [guestOf({ vmid: 101, status: "stopped" }), guestOf({ vmid: 102, status: "stopped" })]
    const wishes = guests.map((guest, index) => wishFor(guest, { power: "running", startup: { order: 2 - index } }))
    const ids = plan(stateOf(...wishes), hostOf(guests), openPolicy).steps.map(({ id }) => id)
    expect(ids.slice(-2)).toEqual(["lxc/102 guest.start", "lxc/101 guest.start"])
  })

  it("starts a guest only after its changes, and takes from it only after its shutdown", () => {
    const start = planOne(guestOf({ status: "stopped" }), { power: "running", cores: 2, swap: 0 }).steps
    expect(start.at(-1)).toMatchObject({
      action: { kind: "guest.start" },
      after: ["lxc/101 config.set cores", "lxc/101 config.set swap"],
      precondition: { status: "stopped" }
    })
    const stop = planOne(guestOf({ memoryUsed: 500 * 1024 ** 2 }), { power: "stopped", memory: 64, cores: 2 }).steps
    expect(stop.filter(isBenign).map(({ after, id, precondition }) => [id, after, precondition.status])).toEqual([
      ["lxc/101 guest.shutdown", [], "running"],
      ["lxc/101 config.set cores", [], undefined],
      ["lxc/101 config.set memory", ["lxc/101 guest.shutdown"], "stopped"]
    ])
  })
})

describe("a plan", () => {
  it("never follows a shutdown with a kill, and names the op by which operators could", () => {
    const [step] = planOne(guestOf(), { power: "stopped" }).steps
    expect(step).toMatchObject({
      class: "benign",
      action: { kind: "guest.shutdown" },
      op: "felhom op guest.stop_hard --host pve --guest lxc/101 --reason 'WHY'"
    })
  })

  it("leaves guests alone that nobody wished for, and tells of them only where the policy says so", () => {
    const guests = [guestOf({ vmid: 101 }), guestOf({ vmid: 102, config: { protection: 1 } })]
    const state = stateOf(wishFor(guestOf({ vmid: 101 }), { cores: 2 }))
    expect(told(plan(state, hostOf(guests), openPolicy))).toEqual(["set cores=2"])
    for (const unnamed of ["report", "fix"]) {
      expect(told(plan(state, hostOf(guests), policyOf({ correction: { unnamed } })))).toEqual([
        "set cores=2",
        "felhom op guest.destroy --host pve --guest lxc/102 --reason 'WHY'"
      ])
    }
  })

  it("changes a protected guest, as protection keeps it from being destroyed and no more", () => {
    const guest = guestOf({ config: { protection: 1 } })
    expect(told(planOne(guest, { cores: 2, protection: true }))).toEqual(["set cores=2"])
  })

  it("waits for a lock with everything, and says for which", () => {
    const { steps } = planOne(guestOf({ lock: "backup" }), { cores: 2, power: "stopped" })
    const words =
      "Proxmox VE holds it locked (backup) until that is over; if none of its tasks runs any more, root lets it go: "
    expect(steps.map((step) => isBenign(step) && step.waitsFor)).toEqual([
      `${words}pct unlock 101`,
      `${words}pct unlock 101`
    ])
  })

  it("does not look at what the policy never corrects", () => {
    const guest = guestOf({ status: "stopped" })
    const wish = {
      power: "running",
      cores: 2,
      nets: { net0: { tag: 7 } },
      volumes: { rootfs: 16 }
    }
    const all = ["set cores=2", "set net0", "grow rootfs to 16", "guest.start"]
    const kinds = ["settings", "network", "volumes", "power"] as const
    for (const [index, kind] of kinds.entries()) {
      const steps = told(planOne(guest, wish, policyOf({ correction: { [kind]: "never" } })))
      expect(steps.map((one) => one.replace(/^(set net0).*/, "$1"))).toEqual(all.filter((_, at) => at !== index))
    }
  })

  it("counts what a guest uses where its shutdown is only reported", () => {
    const guest = guestOf({ memoryUsed: 500 * 1024 ** 2 })
    const policy = policyOf({ correction: { power: "report" } })
    expect(told(planOne(guest, { power: "stopped", memory: 64 }, policy))).toEqual([
      "guest.shutdown",
      expect.stringContaining("not possible: it uses 500 MiB")
    ])
  })

  it("takes memory and swap from a stopped guest only while it is still stopped", () => {
    const guest = guestOf({ status: "stopped", config: { memory: 2048 } })
    const steps = planOne(guest, { memory: 64, swap: 0, cores: 2 }).steps.filter(isBenign)
    expect(steps.map(({ precondition }) => precondition.status)).toEqual([undefined, "stopped", "stopped"])
    expect(planOne(guest, { memory: 4096 }).steps.filter(isBenign)[0]?.precondition.status).toBeUndefined()
  })

  it("says how much a running guest may use at most when its memory is made less", () => {
    const [step] = planOne(guestOf({ config: { memory: 2048 } }), { memory: 1024 }).steps
    expect(step).toMatchObject({ precondition: { memoryBelow: Math.floor(1024 * 1024 ** 2 * 10 / 11) } })
  })
})

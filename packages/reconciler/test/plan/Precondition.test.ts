import { describe, it } from "@effect/vitest"
import { plan } from "@felhom/reconciler/plan/Planner"
import type { BenignStep, Plan } from "@felhom/reconciler/plan/PlanStep"
import { checkPrecondition, type Fresh } from "@felhom/reconciler/plan/Precondition"
import { Either } from "effect"
import { expect } from "vitest"
import {
  guestOf,
  type GuestOptions,
  hostOf,
  isBenign,
  keyNumber,
  openPolicy,
  planOne,
  stateOf,
  wishNew
} from "./ModelHost.ts"

const only = ({ steps }: Plan): BenignStep => {
  const [step] = steps
  if (step === undefined || !isBenign(step)) throw new Error("it has a benign step")
  return step
}

const check = (step: BenignStep, guest: Fresh["guest"], keys: ReadonlyArray<string> = []) =>
  Either.merge(checkPrecondition(step, { guest, keys: new Set(keys) }))

const cores = only(planOne(guestOf({ config: { cores: 1 } }), { cores: 2 }))

describe("a step's precondition", () => {
  it("holds as long as the guest is the one it was, with the digest that it has by then", () => {
    expect(check(cores, guestOf({ config: { cores: 1 } }))).toEqual({ digest: "d0" })
    const other = guestOf({ config: { cores: 1, tags: "x", digest: "d7" }, status: "stopped" })
    expect(check(cores, other)).toEqual({ digest: "d7" })
    expect(check(cores, guestOf({ config: { cores: 1, digest: undefined } }))).toEqual({ digest: null })
  })

  const broken: ReadonlyArray<readonly [what: string, guest: GuestOptions, why: string]> = [
    [
      "another guest has its number",
      { config: { cores: 1, rootfs: "local-zfs:subvol-101-disk-7" } },
      "another guest now"
    ],
    ["it is a virtual machine now", { type: "qemu", config: { cores: 1 } }, "VM 101 is another guest now"],
    ["a backup has begun", { lock: "backup", config: { cores: 1 } }, "locked (backup)"],
    ["somebody has changed the same key", { config: { cores: 4 } }, "somebody has changed cores of CT 101"],
    ["somebody has cleared the same key", {}, "somebody has changed cores of CT 101"]
  ]
  for (const [what, guest, why] of broken) {
    it(`does not hold when ${what}`, () => {
      expect(check(cores, guestOf(guest))).toContain(why)
    })
  }

  it("does not hold when the guest is gone", () => {
    expect(check(cores, undefined)).toBe("the guest is not there any more")
  })

  it("does not hold when somebody has started or stopped it", () => {
    const start = only(planOne(guestOf({ status: "stopped" }), { power: "running" }))
    expect(check(start, guestOf({ status: "stopped" }))).toEqual({ digest: "d0" })
    expect(check(start, guestOf())).toBe("CT 101 is running now, and not stopped")
    const stop = only(planOne(guestOf(), { power: "stopped" }))
    expect(check(stop, guestOf({ status: "unknown" }))).toBe("CT 101 is unknown now, and not running")
  })

  it("does not hold when the guest uses more memory by now than the new limit has room for", () => {
    const mib = 1024 ** 2
    const config = { memory: 2048 }
    const less = only(planOne(guestOf({ config }), { memory: 1024 }))
    expect(check(less, guestOf({ config, memoryUsed: 900 * mib }))).toEqual({ digest: "d0" })
    for (const memoryUsed of [931 * mib, null]) {
      expect(check(less, guestOf({ config, memoryUsed }))).toContain("uses more memory now")
      expect(check(less, guestOf({ config, memoryUsed, status: "stopped" }))).toEqual({ digest: "d0" })
    }
  })

  it("of a guest that is to be made is that nobody made it", () => {
    const key = keyNumber(1)
    const made = only(plan(stateOf(wishNew(key)), hostOf([]), openPolicy))
    expect(check(made, undefined)).toEqual({ digest: null })
    expect(check(made, undefined, [key])).toBe("this host has made it already")
  })
})

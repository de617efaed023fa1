import { describe, it } from "@effect/vitest"
import type { DesiredGuest } from "@felhom/domain/DesiredGuest"
import type { ObservedGuest, ObservedHost } from "@felhom/reconciler/plan/ObservedHost"
import { plan } from "@felhom/reconciler/plan/Planner"
import type { Plan } from "@felhom/reconciler/plan/PlanStep"
import * as fc from "effect/FastCheck"
import { expect } from "vitest"
import {
  applied,
  guestOf,
  type GuestOptions,
  hostOf,
  isBenign,
  keyNumber,
  openPolicy,
  stateOf,
  type Wish,
  wishFor,
  wishNew
} from "./ModelHost.ts"

const few = <A>(...values: ReadonlyArray<A>) => fc.constantFrom(...values)
const maybe = <A>(arbitrary: fc.Arbitrary<A>) => fc.option(arbitrary, { nil: undefined })

/** A configuration in any of the spellings that Proxmox has for one thing. */
const looseConfig = fc.record({
  cores: maybe(few<unknown>(1, "1", 2, "2", 4)),
  cpulimit: maybe(few<unknown>(0, "0", "1.5", 2)),
  cpuunits: maybe(few<unknown>(100, "100", 500)),
  memory: few<unknown>(256, "512", 512, "1024", 2048),
  onboot: maybe(few<unknown>(0, 1, "0", "1")),
  startup: maybe(few("1", "order=1", "order=2,up=30", "up=5,down=60")),
  description: maybe(few("", "hello\n", "hello", "two\nlines\n\n", "100%25 ä\n")),
  tags: maybe(few("", "a;b", "b;a", "A,b", "web")),
  protection: maybe(few<unknown>(0, 1, "1"))
})

const settings = fc.record({
  name: few("web", "db", "mail.example"),
  cores: few(1, 2, 4),
  cpulimit: few(0, 2),
  cpuunits: few(100, 500),
  memory: few(64, 256, 512, 1024, 2048),
  onboot: fc.boolean(),
  startup: few<Wish>({ order: 1 }, { order: 3, up: 30 }, { down: 60 }, {}),
  description: few("", "hello", "hello\n", "two\nlines"),
  tags: few<ReadonlyArray<string>>([], ["a", "b"], ["b", "a"], ["web"]),
  protection: fc.constant(true),
  power: few("running", "stopped"),
  swap: few(0, 512, 1024),
  nameserver: few<ReadonlyArray<string>>([], ["192.168.1.1"], ["fd00::1", "1.1.1.1"]),
  nets: few<Wish>(
    { net0: { bridge: "vmbr1" } },
    { net0: { tag: 7, firewall: true, linkDown: false } },
    { net0: { ip: "192.168.1.20/24", gw: "192.168.1.1" } },
    { net1: { bridge: "vmbr0" } }
  ),
  volumes: few<Wish>({ rootfs: 8 }, { rootfs: 16 }, { rootfs: 4 }, { scsi0: 64 }, { mp0: 1 })
}, { requiredKeys: [] })

const observedGuest = (vmid: number): fc.Arbitrary<ObservedGuest> =>
  fc.record({
    type: few<"lxc" | "qemu">("lxc", "lxc", "qemu"),
    status: few<"running" | "stopped" | "unknown">("running", "stopped", "unknown"),
    config: looseConfig,
    pending: fc.option(few(1, 2, 4), { nil: null }),
    swap: few<unknown>(0, 512, "1024"),
    template: few(false, false, false, true),
    lock: few(null, null, null, "backup", "create"),
    ha: few(null, null, null, "started"),
    memoryUsed: few(null, 10 * 1024 ** 2, 400 * 1024 ** 2, 1024 ** 3)
  }).map(({ config, pending, swap, type, ...rest }) => {
    const options: GuestOptions = { ...rest, type, vmid, config: type === "lxc" ? { ...config, swap } : config }
    return guestOf(pending === null ? options : { ...options, current: { cores: pending } })
  })

interface World {
  readonly host: ObservedHost
  readonly wishes: ReadonlyArray<DesiredGuest>
}

const numbers = [101, 102, 103, 104, 300] as const

const worlds: fc.Arbitrary<World> = fc.record({
  guests: fc.tuple(...numbers.map(observedGuest)),
  wished: fc.array(maybe(settings), { minLength: numbers.length, maxLength: numbers.length }),
  fresh: fc.array(
    settings.map(({ nets, nameserver, power, volumes, ...rest }) => ({
      ...rest,
      ...(power === undefined ? {} : { power }),
      ...(nets === undefined ? {} : { nets: { net0: { bridge: "vmbr0", ip: "dhcp" } } }),
      ...(nameserver === undefined ? {} : { nameserver }),
      ...(volumes === undefined ? {} : { volumes: { rootfs: 16 } })
    })),
    { maxLength: 2 }
  ),
  missing: maybe(settings)
}).map(({ fresh, guests, missing, wished }) => ({
  host: hostOf(guests),
  wishes: [
    ...guests.flatMap((guest, index) => {
      const wish = wished[index]
      return wish === undefined ? [] : [wishFor(guest, wish)]
    }),
    ...fresh.map((wish, index) => wishNew(keyNumber(index + 1), wish)),
    ...(missing === undefined ? [] : [wishFor(guestOf({ vmid: 999 }), missing)])
  ]
}))

const planOf = ({ host, wishes }: World): Plan => plan(stateOf(...wishes), host, openPolicy)

const shuffled = <A>(list: ReadonlyArray<A>, seed: number): ReadonlyArray<A> =>
  list.map((one, index) => [one, ((index + 1) * (seed * 7919 + 104_729)) % 1009] as const)
    .sort(([, one], [, other]) => one - other).map(([one]) => one)

describe("a plan, for any desired and any observed state", () => {
  it("leaves nothing to do once it was done, and says the same of what can't be done", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const first = planOf(world)
        const second = planOf({ ...world, host: applied(world.host, first.steps) })
        expect(second.steps.filter(isBenign)).toEqual([])
        const ids = ({ steps }: Plan) => steps.filter((step) => !isBenign(step)).map(({ id }) => id)
        expect(ids(second)).toEqual(ids(first))
      }),
      { numRuns: 300 }
    )
  })

  it("is the same in whatever order wishes, guests and keys come", () => {
    fc.assert(
      fc.property(worlds, fc.nat({ max: 1000 }), ({ host, wishes }, seed) => {
        const turned = {
          wishes: shuffled(wishes, seed),
          host: {
            ...host,
            guests: shuffled(host.guests, seed + 1).map((guest) => ({
              ...guest,
              merged: Object.fromEntries(shuffled(Object.entries(guest.merged), seed)),
              current: Object.fromEntries(shuffled(Object.entries(guest.current), seed))
            }))
          }
        }
        expect(planOf(turned)).toEqual(planOf({ host, wishes }))
      }),
      { numRuns: 100 }
    )
  })

  it("changes nothing but what a wish names, of nobody but whom it names", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const after = applied(world.host, planOf(world).steps)
        const named = new Set(world.wishes.map(({ guest }) => JSON.stringify(guest.identity.volumes)))
        for (const [index, guest] of world.host.guests.entries()) {
          const now = after.guests[index]
          if (!named.has(JSON.stringify(guest.identity.volumes))) expect(now).toBe(guest)
          expect(now?.identity).toEqual(guest.identity)
          // Cards keep their addresses, volumes stay where they are, and whatever no wish can name stays as it was.
          for (const key of ["arch", "smbios1"]) {
            expect(now?.merged[key]).toEqual(guest.merged[key])
          }
        }
        for (const step of planOf(world).steps) {
          if (step.guest.ref !== null) expect(named).toContain(JSON.stringify(step.guest.identity.volumes))
        }
      }),
      { numRuns: 100 }
    )
  })

  it("puts every step after those that it waits for", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { steps } = planOf(world)
        const ids = steps.map(({ id }) => id)
        expect(new Set(ids).size).toBe(ids.length)
        for (const [index, step] of steps.entries()) {
          if (!isBenign(step)) continue
          for (const id of step.after) {
            expect(ids.indexOf(id)).toBeGreaterThanOrEqual(0)
            expect(ids.indexOf(id)).toBeLessThan(index)
          }
        }
      }),
      { numRuns: 100 }
    )
  })
})

describe("a plan, whatever Proxmox answers", () => {
  const anything = fc.oneof(
    fc.string(),
    fc.constantFrom("=", ",,", "net0=,=", "size=", "order=,", "1e999", "current=", "a=b=c", "\u0000", "-1"),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(fc.string()),
    fc.dictionary(fc.string(), fc.string())
  )
  const keys = ["cores", "memory", "swap", "tags", "description", "startup", "net0", "rootfs", "onboot", "nameserver"]
  const wish = {
    power: "running",
    cores: 2,
    memory: 64,
    swap: 64,
    tags: ["a"],
    description: "x",
    startup: { order: 1 },
    nets: { net0: { tag: 7 } },
    volumes: { rootfs: 8 },
    onboot: true,
    nameserver: ["1.1.1.1"]
  }

  it("is made, and all that it writes is a text on one guest", () => {
    fc.assert(
      fc.property(fc.array(anything, { minLength: keys.length, maxLength: keys.length }), (values) => {
        const config = Object.fromEntries(keys.map((key, index) => [key, values[index]]))
        const guest = guestOf({ config })
        const { steps } = plan(stateOf(wishFor(guest, wish)), hostOf([guest]), openPolicy)
        for (const step of steps.filter(isBenign)) {
          expect(step.guest.ref).toEqual(guest.ref)
          if (step.action.kind === "config.set") expect(typeof step.action.text).toBe("string")
          if (step.action.kind === "volume.grow") expect(step.action.by).toBeGreaterThan(0)
        }
      }),
      { numRuns: 200 }
    )
  })
})

/** Counts every look at any part of it, however deep. */
const watched = <A extends object>(target: A, look: () => void): A =>
  new Proxy(target, {
    get: (inner, key) => {
      look()
      const value: unknown = Reflect.get(inner, key)
      return typeof value === "object" && value !== null ? watched(value, look) : value
    }
  })

const looksFor = (size: number): number => {
  let looks = 0
  const count = () => {
    looks += 1
  }
  const guests = Array.from({ length: size }, (_, index) => guestOf({ vmid: 100 + index }))
  const wishes = guests.map((guest, index) =>
    index % 3 === 0
      ? wishNew(keyNumber(index), { name: `new-${index}` })
      : wishFor(index % 3 === 1 ? guest : guestOf({ vmid: 50_000 + index }), { cores: 4, name: `n-${index}` })
  )
  plan({ guests: wishes.map((wish) => watched(wish, count)) }, {
    ...hostOf(guests.map((guest) => watched(guest, count))),
    images: watched([...hostOf([]).images], count),
    elsewhere: watched(guests.map(({ ref }) => ({ ref, node: "other" })), count)
  }, openPolicy)
  return looks
}

describe("the work of planning", () => {
  it("grows with the number of guests and wishes, and not with their product", () => {
    const [one, four] = [looksFor(100), looksFor(400)]
    expect(four / one).toBeLessThan(4.1)
    expect(four / one).toBeGreaterThan(3.5)
  })
})

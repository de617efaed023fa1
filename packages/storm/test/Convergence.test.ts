import { describe, expect, it } from "@effect/vitest"
import { sha256 } from "@felhom/node/NodeCrypto"
import { Convergence, unmetWishes } from "@felhom/storm/Convergence"
import { firstDisk } from "@felhom/storm/Schedule"
import { Stage } from "@felhom/storm/Stage"
import { shownGuests } from "@felhom/storm/Submission"
import { documentOf } from "@felhom/storm/Wishing"

const minute = 60_000
const disk = firstDisk()
const utf8 = new TextEncoder()

/** A stage on which the hub has heard of the host. */
const heard = (): Stage => {
  const stage = new Stage({
    seed: 1,
    disk,
    mixing: { outOfTurn: 0, stepsInARow: 2048 },
    interval: 60,
    faults: [],
    watches: [],
    keepsLines: true
  })
  stage.until(3 * minute)
  return stage
}

const photos = (stage: Stage, settings: object): string => {
  const shown = shownGuests(stage.hub).find(({ ref }) => ref.vmid === 101)
  const guest = { type: "lxc", identity: shown?.expect.identity }
  return documentOf(stage, { version: 1, guests: [{ guest, ...settings }] })
}

/** The host has it on its disk, though its agent has not heard of it. */
const putAccepted = (stage: Stage, document: string): void =>
  stage.disk.put(
    "/state/accepted-desired.json",
    utf8.encode(JSON.stringify({
      typ: "felhom/accepted-desired/v1",
      epoch: stage.hub.epoch,
      version: 1,
      sha256: sha256(Buffer.from(document, "base64")),
      at: 0,
      document
    }))
  )

/** Time goes on, and reports come, in which nothing changes. */
const cyclesOf = (stage: Stage, convergence: Convergence, cycles: number): boolean => {
  let settled = false
  for (let done = 0; done < cycles; done++) {
    stage.timeline.elapsed += stage.hub.interval * 1000
    stage.hub.answers += 1
    settled = convergence.settled()
  }
  return settled
}

describe("what a host still is not", () => {
  it("is told from the guests themselves, setting by setting, until it is done", () => {
    const stage = heard()
    const document = photos(stage, { memory: 1024, description: "wished", power: "stopped", volumes: { rootfs: 4 } })
    putAccepted(stage, document)
    expect(unmetWishes(stage).map(({ found, guest, key, wanted }) => `${guest} ${key} ${found} -> ${wanted}`)).toEqual([
      "lxc/101 power running -> stopped",
      "lxc/101 memory 512 -> 1024",
      "lxc/101 description  -> wished",
      "lxc/101 rootfs 1G -> 4G"
    ])
    stage.hub.wished.push(document)
    stage.until(stage.timeline.elapsed + 5 * minute)
    expect(unmetWishes(stage)).toEqual([])
    stage.end()
  })

  it("is nothing while the host is held, once the wish has run out, and where the guest is another one", () => {
    const stage = heard()
    putAccepted(stage, photos(stage, { memory: 1024 }))
    stage.disk.put("/state/hold", utf8.encode("{}"))
    expect(unmetWishes(stage)).toEqual([])
    stage.disk.put("/state/hold", undefined)
    expect(unmetWishes(stage)).toHaveLength(1)
    stage.timeline.offset = 2 * 60 * minute
    expect(unmetWishes(stage)).toEqual([])
    stage.timeline.offset = 0
    stage.machine.guests.get(101)?.file.current.values.set("net0", "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:99:99:99")
    expect(unmetWishes(stage)).toEqual([])
    stage.end()
  })

  it("is nothing where a wish names nobody, though a guest has nothing to be known by", () => {
    const stage = heard()
    for (const key of ["net0", "rootfs", "mp0"]) stage.machine.guests.get(101)?.file.current.values.delete(key)
    const identity = { hwaddrs: [], volumes: [], smbiosUuid: null, key: null }
    putAccepted(stage, documentOf(stage, { version: 1, guests: [{ guest: { type: "lxc", identity }, memory: 1024 }] }))
    expect(unmetWishes(stage)).toEqual([])
    stage.end()
  })
})

describe("a host that does not come to be as wished", () => {
  it("is given some cycles, and is then told of with the guest, the setting, and what it is", () => {
    const stage = heard()
    putAccepted(stage, photos(stage, { memory: 1024 }))
    const convergence = new Convergence(stage)
    expect(cyclesOf(stage, convergence, 10)).toBe(false)
    expect(stage.ledger.violation).toBeUndefined()
    cyclesOf(stage, convergence, 5)
    expect(stage.ledger.violation).toEqual({
      invariant: "converges",
      detail: "lxc/101 memory is to be 1024, and is 512 after 13 cycles"
    })
    stage.end()
  })

  it("has longer for what no list shows, which waits for the guest's turn", () => {
    const stage = heard()
    putAccepted(stage, photos(stage, { description: "wished" }))
    const convergence = new Convergence(stage)
    cyclesOf(stage, convergence, 60)
    expect(stage.ledger.violation).toBeUndefined()
    cyclesOf(stage, convergence, 20)
    expect(stage.ledger.violation?.invariant).toBe("converges")
    stage.end()
  })

  it("may say why, and when it tries again, if that is within the hour; a lock that is not there is no reason", () => {
    const judged = (why: string): readonly [settled: boolean, violation: string | undefined] => {
      const stage = heard()
      putAccepted(stage, photos(stage, { memory: 1024 }))
      const { inventory } = stage.hub
      const blocked = [{ subject: "lxc/101", reason: `CT 101 (photos): change memory: 512 -> 1024: ${why}` }]
      const desired = { epoch: stage.hub.epoch, version: 1, stale: false, drift: [], blocked }
      if (inventory !== undefined) stage.hub.inventory = { ...inventory, desired }
      const settled = cyclesOf(stage, new Convergence(stage), 20)
      stage.end()
      return [settled, stage.ledger.violation?.invariant]
    }
    const at = (millis: number): string => new Date(1_800_000_000_000 + millis).toISOString()
    expect(judged("the storage is full")).toEqual([true, undefined])
    expect(judged(`it was tried once of late: no; it is tried again at ${at(40 * minute)}`)).toEqual([false, undefined])
    expect(judged(`it was tried once of late: no; it is tried again at ${at(400 * minute)}`)[1]).toBe("converges")
    expect(judged("Proxmox VE holds it locked (backup)")[1]).toBe("converges")
  })
})

import { describe, it } from "@effect/vitest"
import { encodeGolden, type GoldenManifest, goldenNamespace } from "@felhom/domain/GoldenManifest"
import { type GuestRef, Vmid, type Volid } from "@felhom/domain/ProxmoxId"
import { opNamespace } from "@felhom/domain/SignedOp"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect } from "effect"
import { expect } from "vitest"
import { type Host, makeHost, paths, type Running, sign } from "../op/SignedHost.ts"
import { keyNumber, policyOf } from "../plan/ModelHost.ts"
import { passing, state, toldBy, turn } from "../pursuit/PursuedHost.ts"
import { accepted, allowing, built, filesOf, images, name, onHost } from "./GoldenHost.ts"

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const desired = (more: object = {}) => policyOf({ golden: { images: ["debian-13"], ...more } })

/** A host with an image on it that was built and signed there, and an agent that reads these bytes of it. */
const withImage = <A, E, R>(
  use: (with_: {
    readonly host: Host
    readonly agent: Running
    readonly manifest: GoldenManifest
    readonly volid: Volid
    /** The agent starts anew, and reads these bytes from now on; undefined: it can't read them. */
    readonly reading: (sha256: string | undefined) => Effect.Effect<Running>
  }) => Effect.Effect<A, E, R>,
  readable = true
) =>
  Effect.gen(function*() {
    const host = yield* makeHost
    yield* allowing(host)
    const agent = yield* host.boot(undefined, readable ? { archiveBytes: filesOf(host) } : {})
    const { draft } = yield* built(agent)
    const { manifest, principals } = yield* accepted(host, agent, draft ?? "")
    expect(principals).toEqual(["anna"])
    return yield* use({
      host,
      agent,
      manifest,
      volid: manifest.volid,
      reading: (sha256) =>
        Effect.zipRight(
          agent.kill,
          host.boot(agent.model.present(), sha256 === undefined ? {} : { archiveBytes: filesOf(host, sha256) })
        )
    })
  }).pipe(Effect.provide(onHost))

const checked = (agent: Running, volid: Volid, policy = desired(), depth: "look" | "read" = "read") =>
  passing(images(agent, ({ check }) => Effect.mapError(check(volid, policy, depth), ({ message }) => message)))

const wish = (more: object = {}) =>
  state(1, {
    guest: { type: "lxc", identity: { hwaddrs: [], volumes: [], smbiosUuid: null, key: keyNumber(1) } },
    make: { image: "debian-13", storage: "ctstore" },
    name: "web",
    power: "running",
    nets: { net0: { bridge: "vmbr0" } },
    ...more
  })

const web = (host: Host) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { rows } = yield* client.guests("lxc")
    const found = rows.find((row) => row.name === "web")
    if (found === undefined) return undefined
    const ref: GuestRef = { type: "lxc", vmid: Vmid.make(found.vmid) }
    return { status: found.status, config: yield* client.guestConfig(ref) }
  }).pipe(Effect.provide(host.proxmox), passing)

describe("a guest that is wished for from a golden image", () => {
  it.effect("is restored from what operators signed, with an address of its own, unprivileged, with keyctl and nesting, and runs", () =>
    withImage(({ agent, host }) =>
      Effect.gen(function*() {
        yield* agent.desired(wish())
        yield* turn(agent)
        const guest = yield* web(host)
        expect(guest).toMatchObject({
          status: "running",
          config: { unprivileged: 1, features: "keyctl=1,nesting=1", hostname: "web" }
        })
        expect(String(guest?.config["net0"])).toMatch(/hwaddr=/)
        expect(toldBy(agent).join("\n")).toMatch(/desired\.done done: CT \d+ \(web\): make/)
      })
    ))

  it.effect("is called by its number where no name is wished for, and never as its image was while that was built", () =>
    withImage(({ agent, host }) =>
      Effect.gen(function*() {
        yield* agent.desired(wish({ name: undefined }))
        yield* turn(agent)
        const { rows } = yield* passing(
          Effect.flatMap(ProxmoxClient, (client) => client.guests("lxc")).pipe(Effect.provide(host.proxmox))
        )
        const fresh = rows.filter(({ vmid }) => ![101, 102, 9999].includes(vmid))
        expect(fresh.map(({ name, vmid }) => name === `CT${vmid}`)).toEqual([true])
      })
    ))

  it.effect("is not made once somebody has held the host while its image was read", () =>
    withImage(({ agent, host }) =>
      Effect.gen(function*() {
        yield* agent.kill
        const before = (yield* host.writes).length
        const files = filesOf(host)
        let meanwhile: Effect.Effect<unknown> = Effect.void
        const anew = yield* host.boot(agent.model.present(), {
          archiveBytes: { read: (path) => Effect.zipRight(Effect.suspend(() => meanwhile), files.read(path)) }
        })
        meanwhile = Effect.orDie(anew.hold("a look at the disk"))
        yield* anew.desired(wish())
        yield* turn(anew)
        expect(toldBy(anew).join("\n")).toContain(
          "while it was read, the host was held, or its policy or its desired state changed; it is planned anew"
        )
        expect((yield* host.writes).length).toBe(before)
        meanwhile = Effect.void
        yield* anew.release
        yield* Effect.repeatN(turn(anew), 12)
        expect(yield* web(host)).toMatchObject({ status: "running" })
      })
    ))

  it.effect("is not made while no manifest of it was accepted, and root's own image of that name does not stand in", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* allowing(host, { images: { "debian-13": "local:vztmpl/felhom-tiny_1.0-1_amd64.tar.gz" } })
      const agent = yield* host.boot()
      yield* agent.desired(wish())
      yield* turn(agent)
      expect(yield* host.writes).toEqual([])
      expect(toldBy(agent).join("\n")).toContain(
        "no manifest of the golden image debian-13 was accepted on this host; root gives it one that operators signed"
      )
    }).pipe(Effect.provide(onHost)))

  for (
    const [what, spoil, why] of [
      [
        "one byte of its archive is another",
        ({ reading }) => reading("b".repeat(64)),
        "are not those that were signed: SHA-256 bbbbbbbb"
      ],
      [
        "its bytes can't be read and the policy has no leave for that",
        ({ reading }) => reading(undefined),
        "can't be compared with what was signed"
      ],
      [
        "its signer was revoked since",
        ({ agent, host }) => Effect.as(host.revoke(host.anna), agent),
        "on the revocation list"
      ],
      [
        "its signer was taken off the list",
        ({ agent, host }) =>
          Effect.as(
            host.put(
              paths.signers,
              "nobody ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEDQ3TNZQzy95bnFQeoEMGqDL5gEibfBH82TA2kVEQdo\n"
            ),
            agent
          ),
        "its key is not on the allow-list"
      ]
    ] satisfies ReadonlyArray<
      readonly [string, (with_: Parameters<Parameters<typeof withImage>[0]>[0]) => Effect.Effect<Running>, string]
    >
  ) {
    it.effect(`is not made where ${what}`, () =>
      withImage((all) =>
        Effect.gen(function*() {
          const before = (yield* all.host.writes).length
          const agent = yield* spoil(all)
          yield* agent.desired(wish())
          yield* turn(agent)
          expect(toldBy(agent).join("\n")).toContain(why)
          expect(yield* web(all.host)).toBeUndefined()
          expect((yield* all.host.writes).length).toBe(before)
        })
      ))
  }

  it.effect("is made where its bytes can't be read and the policy has leave for that, which is said", () =>
    withImage(({ agent, host }) =>
      Effect.gen(function*() {
        yield* allowing(host, {}, { unread: true })
        yield* agent.desired(wish())
        yield* turn(agent)
        expect(toldBy(agent).join("\n")).toMatch(
          /desired\.done done: .*the bytes of local:backup\/\S+ were not compared with what was signed: nobody read them when they were signed/
        )
        expect(yield* web(host)).toMatchObject({ status: "running" })
      }), false))
})

describe("an archive is no golden image", () => {
  it.effect("once another one lies in its place, of other bytes in number", () =>
    withImage(({ agent, volid }) =>
      Effect.gen(function*() {
        const sim = yield* PveSim
        yield* sim.change({ _tag: "archive.damage", volid, damage: "truncated" })
        expect(yield* Effect.flip(checked(agent, volid, desired(), "look"))).toContain(" were signed; ")
        yield* sim.change({ _tag: "file.remove", path: `/var/lib/vz/dump/${volid.slice("local:backup/".length)}` })
        expect(yield* Effect.flip(checked(agent, volid))).toContain(`there is no ${volid} on this host`)
      })
    ))

  for (
    const [what, change, why] of [
      [
        "with another configuration than was signed",
        { config: "arch: amd64\nrootfs: x:1,size=1G\nunprivileged: 1\n" },
        "the configuration in"
      ],
      ["with another size than was signed", { size: 5 }, "and 5 were signed"]
    ] as const
  ) {
    it.effect(what, () =>
      withImage(({ agent, host, manifest, volid }) =>
        Effect.gen(function*() {
          yield* accepted(host, agent, text(encodeGolden({ ...manifest, ...change, version: 2 })))
          expect(yield* Effect.flip(checked(agent, volid, desired(), "look"))).toContain(why)
        })
      ))
  }

  it.effect("on a host of another architecture", () =>
    withImage(({ agent, host, volid }) =>
      Effect.gen(function*() {
        yield* agent.kill
        const other = yield* host.boot(agent.model.present(), { architecture: "arm64" })
        expect(yield* Effect.flip(checked(other, volid, desired(), "look"))).toContain(
          "it is for amd64, and this host is arm64"
        )
      })
    ))

  it.effect("that nobody signed and root does not name", () =>
    withImage(({ agent, volid }) =>
      Effect.gen(function*() {
        const stranger = `${volid}x` as Volid
        expect(yield* Effect.flip(checked(agent, stranger))).toContain("no manifest that was accepted here names it")
        expect(yield* checked(agent, stranger, policyOf({ images: { own: stranger } }))).toBeUndefined()
        // A name of a golden image is never root's own.
        expect(
          yield* Effect.flip(
            checked(agent, stranger, policyOf({ images: { "debian-13": stranger }, golden: { images: ["debian-13"] } }))
          )
        )
          .toContain("no manifest that was accepted here names it")
      })
    ))
})

describe("a manifest is not accepted", () => {
  const refusal = (host: Host, agent: Running, draft: string, keys = [host.anna], namespace = goldenNamespace) =>
    Effect.flatMap(sign(draft, keys, namespace), (signed) => images(agent, ({ accept }) => Effect.flip(accept(signed))))
      .pipe(Effect.map(({ message }) => message))

  it.effect("that an operator signed for something else, that nobody signed, or that was edited after", () =>
    withImage(({ agent, host, manifest }) =>
      Effect.gen(function*() {
        const next = text(encodeGolden({ ...manifest, version: 2 }))
        expect(yield* refusal(host, agent, next, [host.anna], opNamespace)).toContain("it was made for another purpose")
        expect(yield* refusal(host, agent, next, [])).toContain("0 of the 1 signers that this needs have signed")
        const signed = yield* sign(next, [host.anna], goldenNamespace)
        const other = yield* sign(next.replace("debian-13", "debian-14"), [], goldenNamespace)
        expect(
          yield* images(agent, ({ accept }) => Effect.flip(accept({ ...signed, payload: other.payload })))
        ).toMatchObject({
          reason: "signature",
          message: expect.stringContaining("the bytes are not those that the key signed")
        })
        expect(yield* refusal(host, agent, next.replace("{", "{ "))).toContain(
          "it was written anew by another program, or edited; take the manifest as felhom-agent golden draft prints it"
        )
      })
    ))

  it.effect("of a version that is not above the one before, or of too few signers", () =>
    withImage(({ agent, host, manifest }) =>
      Effect.gen(function*() {
        const versioned = (version: number, more: object = {}) => text(encodeGolden({ ...manifest, version, ...more }))
        // The same again takes the signatures anew.
        yield* accepted(host, agent, versioned(1))
        expect(yield* refusal(host, agent, versioned(1, { size: 7 }))).toContain(
          "golden image debian-13: another manifest of version 1 was accepted here"
        )
        yield* accepted(host, agent, versioned(3))
        expect(yield* refusal(host, agent, versioned(2))).toContain("it is version 2, and this host has version 3")
        yield* host.put(paths.policy, JSON.stringify({ typ: "felhom/policy/v1", signatures: { threshold: 2 } }))
        expect(yield* refusal(host, agent, versioned(4))).toContain("1 of the 2 signers that this needs have signed")
        const both = yield* sign(versioned(4), [host.anna, host.ben], goldenNamespace)
        expect(yield* images(agent, ({ accept }) => accept(both))).toMatchObject({ principals: ["anna", "ben"] })
        expect(yield* images(agent, ({ held }) => held)).toMatchObject([{ manifest: { version: 4 } }])
      })
    ))

  it.effect("while root's policy or list of signers can't be read, or what is given is too long or no base64", () =>
    withImage(({ agent, host, manifest }) =>
      Effect.gen(function*() {
        const next = text(encodeGolden({ ...manifest, version: 2 }))
        const asked = (payload: string) =>
          images(agent, ({ accept }) => Effect.flip(accept({ payload, signatures: [] })))
        expect((yield* asked("%%%%")).message).toContain("the manifest: it is not base64")
        expect((yield* asked("A".repeat(100_000))).message).toContain("it is longer than 65536 bytes")
        yield* host.put(paths.policy, "{")
        expect(yield* refusal(host, agent, next)).toContain("it is no policy that this version knows")
        yield* allowing(host)
        yield* host.put(paths.signers, undefined)
        yield* agent.kill
        const anew = yield* host.boot(agent.model.present())
        expect(yield* refusal(host, anew, next)).toContain("nobody may sign for this host")
      })
    ))

  it.effect("into a record that another version wrote, and nothing is made from any", () =>
    withImage(({ agent, host, volid }) =>
      Effect.gen(function*() {
        yield* agent.kill
        const disk = new Map(agent.model.present())
        disk.set("/state/golden-images.json", new TextEncoder().encode(`{"typ":"felhom/golden-images/v2"}`))
        const anew = yield* host.boot(disk)
        expect(yield* Effect.flip(checked(anew, volid))).toContain("golden-images.json")
        yield* anew.desired(wish())
        yield* turn(anew)
        expect(toldBy(anew).join("\n")).toContain("golden-images.json")
        expect(yield* web(host)).toBeUndefined()
      })
    ))
})

it.effect("the policy's golden images are among its images under the archive that was signed, whatever else has the name", () =>
  withImage(({ agent, volid }) =>
    Effect.gen(function*() {
      const allowed = (policy: object) => images(agent, (all) => all.allowed(policyOf(policy)))
      expect(
        (yield* allowed({
          golden: { images: [name, "other"] },
          images: { "debian-13": "a1:b", other: "a1:c", own: "a1:d" }
        })).images
      )
        .toEqual({ own: "a1:d", "debian-13": volid })
      expect((yield* allowed({ images: { "debian-13": "a1:b" } })).images).toEqual({ "debian-13": "a1:b" })
    })
  ))

import { HostPolicy } from "@felhom/authz/HostPolicy"
import type { GoldenName } from "@felhom/domain/GoldenManifest"
import type { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { GoldenBuilder } from "@felhom/reconciler/golden/GoldenBuilder"
import type { GoldenBuild } from "@felhom/reconciler/golden/GoldenBuilds"
import { GoldenImages } from "@felhom/reconciler/golden/GoldenImages"
import { GoldenRefused } from "@felhom/reconciler/golden/GoldenRefused"
import { Effect } from "effect"
import type { GoldenRequest, GoldenRow } from "./GoldenProtocol.ts"

/** For the person, and what a program takes up. */
interface GoldenAnswer {
  readonly ok: boolean
  readonly message: string
  readonly golden?: ReadonlyArray<GoldenRow>
  readonly draft?: string
}

type Needs = GoldenBuilder | GoldenImages | HostPolicy | ProxmoxClient

const stages: { readonly [stage in GoldenBuild["stage"]]: string } = {
  chosen: "its container is being made",
  created: "its container stands",
  starting: "its first boot is under way",
  booted: "its first boot is through",
  dumping: "its archive is being written",
  dumped: "its archive is written",
  drafted: "its manifest is written, and its container goes",
  done: "felhom-agent golden draft prints its manifest, for operators to sign",
  failed: "nothing more is done for it"
}

const rowOf = (build: GoldenBuild & { readonly running: boolean }): GoldenRow => ({
  name: build.order.name,
  version: build.order.version,
  state: build.stage === "done"
    ? "to be signed"
    : build.stage === "failed"
    ? "failed"
    : build.running
    ? "building"
    : "held up",
  volid: build.volid,
  words: build.running || build.said === "" ? `CT ${build.vmid}: ${stages[build.stage]}` : build.said
})

const listed = Effect.gen(function*() {
  const held = yield* (yield* GoldenImages).held
  const builds = yield* (yield* GoldenBuilder).all
  const accepted = held.map(({ manifest: { bytes, name, version, volid } }): GoldenRow => ({
    name,
    version,
    state: "accepted",
    volid,
    words: "sha256" in bytes ? `SHA-256 ${bytes.sha256}` : `its bytes were not read: ${bytes.unread}`
  }))
  const isAccepted = ({ order, stage }: GoldenBuild) =>
    stage === "done" && accepted.some(({ name, version }) => name === order.name && version >= order.version)
  return [...accepted, ...builds.filter((build) => !isAccepted(build)).map(rowOf)].toSorted((one, other) =>
    one.name === other.name ? one.version - other.version : one.name < other.name ? -1 : 1
  )
})

const built = (order: Extract<GoldenRequest, { readonly ask: "golden.build" }>["order"]) =>
  Effect.gen(function*() {
    const known = (yield* listed).filter(({ name }) => name === order.name).map(({ version }) => version)
    const build = yield* (yield* GoldenBuilder).build({ ...order, version: order.version ?? Math.max(0, ...known) + 1 })
    return `the build of ${order.name} version ${build.order.version} is begun, as CT ${build.vmid}; ` +
      "felhom-agent golden list shows how far it has come"
  })

const draftOf = (name: GoldenName) =>
  Effect.gen(function*() {
    const build = (yield* (yield* GoldenBuilder).all).find(({ order }) => order.name === name)
    if (build?.draft !== null && build !== undefined && build.stage !== "failed") return build.draft
    const detail = build === undefined
      ? "no build of it is on record"
      : `its build has no manifest: ${rowOf(build).words}`
    return yield* new GoldenRefused({ reason: "build", what: `golden image ${name}`, detail })
  })

const verified = (name: GoldenName) =>
  Effect.gen(function*() {
    const images = yield* GoldenImages
    const one = (yield* images.held).find(({ manifest }) => manifest.name === name)
    if (one === undefined) {
      return yield* new GoldenRefused({
        reason: "not-accepted",
        what: `golden image ${name}`,
        detail: "no manifest of it was accepted on this host"
      })
    }
    const { manifest: { version, volid } } = one
    const { policy } = yield* (yield* HostPolicy).current
    const unread = yield* images.check(volid, policy.desired, "read")
    const isNamed = policy.desired.golden.images.includes(name)
    return [
      unread === undefined
        ? `${name} version ${version}: ${volid} is, byte for byte, what operators signed`
        : `${name} version ${version}: ${volid} looks as it was signed, and ${unread}`,
      ...(isNamed ? [] : ["root's policy does not name it in desired.golden.images, so no guest is made from it"])
    ].join("; ")
  })

const acceptedWords = (signed: Extract<GoldenRequest, { readonly ask: "golden.accept" }>["signed"]) =>
  Effect.gen(function*() {
    const images = yield* GoldenImages
    const { manifest: { name, version, volid }, principals } = yield* images.accept(signed)
    const { policy } = yield* (yield* HostPolicy).current
    const looked = yield* Effect.either(images.check(volid, policy.desired, "look"))
    return [
      `accepted ${name} version ${version}, signed by ${principals.join(" and ")}: ${volid}`,
      ...(looked._tag === "Left" ? [`nothing can be made from it now: ${looked.left.message}`] : []),
      ...(policy.desired.golden.images.includes(name)
        ? []
        : [`root's policy does not name it yet: put "${name}" in desired.golden.images`])
    ].join("; ")
  })

/** What the daemon answers about golden images. */
export const goldenAnswered = (
  request: GoldenRequest
): Effect.Effect<GoldenAnswer, GoldenRefused | ProxmoxError, Needs> =>
  Effect.gen(function*() {
    const builder = yield* GoldenBuilder
    switch (request.ask) {
      case "golden.build":
        return { ok: true, message: yield* built(request.order) }
      case "golden.list": {
        const golden = yield* listed
        return { ok: true, message: golden.length === 0 ? "no golden image is known on this host" : "", golden }
      }
      case "golden.resume": {
        const { stage } = yield* builder.resume(request.name)
        return { ok: true, message: `the build of ${request.name} goes on: ${stages[stage]}` }
      }
      case "golden.discard":
        return { ok: true, message: yield* builder.discard(request.name) }
      case "golden.draft":
        return { ok: true, message: "", draft: yield* draftOf(request.name) }
      case "golden.verify":
        return { ok: true, message: yield* verified(request.name) }
      case "golden.accept":
        return { ok: true, message: yield* acceptedWords(request.signed) }
    }
  })

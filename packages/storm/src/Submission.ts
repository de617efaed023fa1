import type { Inventory, ReportSections } from "@felhom/domain/HostReport"
import { decodeSignedOp, opNamespace, opType, type SignedOp } from "@felhom/domain/SignedOp"
import { sha256 } from "@felhom/node/NodeCrypto"
import { Either, Encoding } from "effect"
import type { Act } from "./Actions.ts"
import type { Chance } from "./Chance.ts"
import type { Hub } from "./Hub.ts"
import { type Name, names, signature } from "./Operators.ts"
import type { Stage } from "./Stage.ts"

const minute = 60_000
const hour = 60 * minute

type Sections = typeof ReportSections.Encoded
type Guests = typeof Inventory.Encoded.guests

const guestsIn = (section: Guests | undefined) => (section?.state === "ok" ? section.value : [])
const backupsIn = (section: Sections["backup"] | undefined) => (section?.state === "ok" ? section.value : [])

/** A guest as the operator is shown it by the host's last report. */
export const shownGuests = (hub: Hub) =>
  guestsIn(hub.inventory?.guests).flatMap((guest) => {
    if (guest.config.state !== "ok" || guest.snapshots.state !== "ok") return []
    const { hash, identity } = guest.config.value
    const snapshots = guest.snapshots.value.map(({ name, takenAt }) => ({ name, takenAt }))
    return [{
      ref: { type: guest.type, vmid: guest.vmid },
      snapshots,
      expect: {
        identity,
        configHash: hash,
        name: guest.name,
        volumes: identity.volumes.map((volid) => ({ volid, size: null })),
        snapshots
      }
    }]
  })

type Wish = object | undefined

/** What is done to the agent itself, as far as its report gives a reason for it. */
const ofAgent = ({ hub }: Stage, chance: Chance): Wish => {
  const { trust } = hub
  if (trust === undefined) return undefined
  if (trust.hold !== null && trust.hold !== undefined) {
    return { op: "hold.release", target: {}, expect: { since: trust.hold.since }, params: {} }
  }
  const held = trust.desired
  if (hub.epoch !== (held?.epoch ?? hub.epoch)) {
    const { epoch = null, version = 0 } = held ?? {}
    return { op: "desired.accept_epoch", target: { epoch: hub.epoch }, expect: { epoch, version }, params: {} }
  }
  return chance.is(0.3)
    ? { op: "store.reanchor", target: {}, expect: { storeSeq: trust.storeSeq }, params: {} }
    : undefined
}

const ofVolumes = ({ hub }: Stage, chance: Chance): Wish => {
  const backup = chance.any(backupsIn(hub.report?.sections.backup))
  if (chance.is(0.1)) {
    return { op: "storage.remove", target: { storage: "ctstore" }, expect: { type: "btrfs" }, params: {} }
  }
  return backup === undefined ? undefined : {
    op: backup.protected ? "backup.unprotect" : "backup.delete",
    target: { volid: backup.volid },
    expect: { size: backup.size ?? 0, createdAt: backup.createdAt },
    params: {}
  }
}

const ofSnapshots = ({ hub }: Stage, chance: Chance): Wish => {
  const snapshot = chance.any(
    shownGuests(hub).flatMap((one) => one.snapshots.map(({ name, takenAt }) => ({ one, name, takenAt })))
  )
  return snapshot === undefined ? undefined : {
    op: chance.is(0.7) ? "snapshot.delete" : "guest.rollback",
    target: { guest: snapshot.one.ref, snapshot: snapshot.name },
    expect: { ...snapshot.one.expect, takenAt: snapshot.takenAt ?? 0 }
  }
}

const ofGuests = ({ hub }: Stage, chance: Chance): Wish => {
  const guest = chance.any(shownGuests(hub))
  if (guest === undefined) return undefined
  const { expect, ref } = guest
  return chance.is(0.5)
    ? { op: "guest.stop_hard", target: { guest: ref }, expect, params: {} }
    : {
      op: "guest.destroy",
      target: { guest: ref },
      expect,
      params: { unreferencedDisks: false, acceptNoProvenBackup: true }
    }
}

/** What an operator may want of this host, as far as its report shows. */
const wishes = (stage: Stage, chance: Chance): Wish => {
  const kind = chance.below(10)
  const { trust } = stage.hub
  const isAsked = trust?.hold != null || (trust?.desired != null && trust.desired.epoch !== stage.hub.epoch)
  if (kind === 0 || (isAsked && kind < 6)) return ofAgent(stage, chance) ?? ofGuests(stage, chance)
  if (kind === 1) return ofVolumes(stage, chance) ?? ofGuests(stage, chance)
  return (kind <= 3 ? ofSnapshots(stage, chance) : undefined) ?? ofGuests(stage, chance)
}

const paramsOf = (wish: object): object =>
  "params" in wish ? {} : { params: "op" in wish && wish.op === "guest.rollback" ? { acceptNoProvenBackup: true } : {} }

/** As many of those who may sign as it takes. */
export const enoughSigners = ({ ledger }: Stage): ReadonlyArray<Name> => {
  const { allowed, revoked, threshold } = ledger.rulesNow
  return names.filter((name) => allowed.has(name) && !revoked.has(name)).slice(0, threshold)
}

/** Who signs: as many as it takes as a rule, and now and then too few, the same twice, or somebody who must not. */
export const signersFor = (stage: Stage, chance: Chance): ReadonlyArray<Name> => {
  const { allowed, revoked, threshold } = stage.ledger.rulesNow
  const good = names.filter((name) => allowed.has(name) && !revoked.has(name))
  const once = names.filter((name) => stage.ledger.rules.some((rules) => rules.allowed.has(name)))
  const out = once.filter((name) => !good.includes(name))
  switch (chance.below(10)) {
    case 0:
      return ["mallory"]
    case 1:
      return names.filter(() => chance.is(0.5))
    case 2:
    case 3:
    case 4:
      // Whoever may not sign any more still has the key.
      return out.length === 0 ? enoughSigners(stage) : out
    case 5:
      return Array.from({ length: threshold }, () => good[0] ?? "anna")
    default:
      return enoughSigners(stage)
  }
}

/** Times and addresses that are wrong in one way, of one op in five. */
const strayed = (stage: Stage, chance: Chance, now: number): object => {
  switch (chance.below(20)) {
    case 0:
      return { nbf: now + 5 * minute }
    case 1:
      return { host: "9".repeat(32) }
    case 2:
      return { hostEpoch: "8".repeat(32) }
    case 3:
      return { storeSeqMin: (stage.hub.trust?.storeSeq ?? 0) + 1000 }
    case 4:
    case 5:
    case 6:
      // So short that it may be over before its turn comes.
      return { exp: now + chance.between(1000, 90_000) }
    default:
      return {}
  }
}

/** An operator signs an op by the host's last report, and gives it to the hub; sometimes one nonce serves for two. */
export const submit: Act = (stage, chance) =>
  signAndSubmit(stage, chance, wishes(stage, chance), signersFor(stage, chance))

/** The same for what is wished, signed by these, with the document in base64 that it brings. */
export const signAndSubmit = (
  stage: Stage,
  chance: Chance,
  wish: Wish,
  by: ReadonlyArray<Name>,
  document?: string
): void => {
  const { hub, ledger, timeline } = stage
  if (wish === undefined || hub.trust === undefined || hub.report === undefined) return
  const now = timeline.trueTime
  const used = chance.any([...ledger.ops.values()])
  const text = JSON.stringify({
    typ: opType,
    host: hub.report.host.id,
    hostEpoch: hub.trust.opEpoch,
    nonce: used !== undefined && chance.is(0.25) ? used.op.nonce : chance.hex(32),
    iat: now,
    nbf: now,
    exp: now + (chance.is(0.7) ? hour : chance.between(1, 24) * hour),
    storeSeqMin: hub.trust.storeSeq,
    reason: "as the storm wants it",
    ...paramsOf(wish),
    ...wish,
    ...strayed(stage, chance, now)
  })
  const decoded = decodeSignedOp(new TextEncoder().encode(text))
  if (Either.isLeft(decoded)) throw new Error(`the storm made an op that is none: ${decoded.left.message}: ${text}`)
  const namespace = chance.is(0.03) ? "file" : opNamespace
  const signed = {
    payload: Encoding.encodeBase64(text),
    signatures: by.map((name) => signature(name, text, namespace)),
    ...(document === undefined ? {} : { document })
  }
  const payload = sha256(text)
  const op: SignedOp = decoded.right
  ledger.ops.set(payload, {
    payload,
    op,
    signed,
    by: namespace === opNamespace ? by : [],
    spent: undefined,
    calls: [],
    effectSeen: false,
    unmetWhenSpent: undefined
  })
  hub.submit(payload, signed)
  ledger.note(
    `${by.join("+")} sign ${payload.slice(0, 16)}: ${op.op} ${JSON.stringify(op.target)} until +${op.exp - now} ms`
  )
}

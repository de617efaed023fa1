import { displayText } from "@felhom/domain/DisplayText"
import { formatFingerprint, type PeerPin, type PeerPins, PinMismatch } from "@felhom/domain/PeerPin"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { Clock, Effect, Either } from "effect"
import { type Finding, fine, mend, worthKnowing } from "./Finding.ts"
import { type Certificate, readPem, ServedCertificate } from "./ServedCertificate.ts"

const day = 86_400_000
/** ACME renews so long before the end (platform-facts 3.6); later than that, nobody is looking after it. */
const warningDays = 30

const covers = (certificate: Certificate) => (pin: PeerPin): boolean => pin.sha256 === certificate[pin.kind]

const pinText = (certificate: Certificate): string => `spki:${formatFingerprint(certificate.spki)}`

const dateOf = (millis: number): string => new Date(millis).toISOString().slice(0, 10)

/** Which pin names the certificate that is served now; it is `trusted` if one does. Needs no token. */
export const servedCheck = (url: URL, pins: PeerPins) =>
  Effect.gen(function*() {
    const tls = yield* ServedCertificate
    const seen = yield* Effect.either(tls.look(url))
    if (Either.isLeft(seen)) return { trusted: undefined, findings: [mend("pins", seen.left.message)] }
    const served = seen.right
    const at = pins.findIndex(covers(served))
    const pin = pins[at]
    const mismatch = new PinMismatch({
      peer: url.host,
      leaf: formatFingerprint(served.leaf),
      spki: formatFingerprint(served.spki)
    })
    const finding = pin === undefined
      ? mend(
        "pins",
        mismatch.message,
        `the pin to add to FELHOM_AGENT_PROXMOX_FINGERPRINT, once it was compared: ${pinText(served)}`
      )
      : fine(
        "pins",
        `pin ${at + 1} of ${pins.length} (${
          pin.kind === "spki" ? "public key" : "certificate"
        }) names what ${url.host} serves`
      )
    return { trusted: pin === undefined ? undefined : served, findings: [finding] }
  })

/**
 * How the certificate will end, and whether the pins know the next one. Proxmox renews its own with the same key, ACME makes a
 * new key each time; a renewed file shows in the API before pveproxy serves it (platform-facts 3.6, 11 item 9).
 */
export const renewalCheck = (served: Certificate, pins: PeerPins) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const files = yield* Effect.either(client.certificates)
    const rows = Either.isRight(files) ? files.right.rows : []
    const custom = rows.find(({ filename }) => filename === "pveproxy-ssl.pem")
    const file = custom ?? rows.find(({ filename }) => filename === "pve-ssl.pem")
    const now = yield* Clock.currentTimeMillis
    // The end is known from the handshake, whether the files can be read or not.
    return [
      endFinding(served, pins, custom !== undefined, now),
      Either.isLeft(files)
        ? worthKnowing("next certificate", `the next one is not known: ${files.left.message}`)
        : file === undefined
        ? worthKnowing("next certificate", "the next one is not known: Proxmox names no certificate file")
        : nextFinding(served, pins, file.filename, file.pem)
    ]
  })

const endFinding = (served: Certificate, pins: PeerPins, custom: boolean, now: number): Finding => {
  const days = Math.floor((served.notAfter - now) / day)
  const end = `${dateOf(served.notAfter)}, ${days < 0 ? `${-days} days ago` : `in ${days} days`}`
  const byKey = pins.some((pin) => pin.kind === "spki" && covers(served)(pin))
  if (days >= warningDays) return fine("certificate", `it ends ${end}`)
  if (!custom && byKey) {
    return worthKnowing("certificate", `it ends ${end}; Proxmox renews it with the same key, which a pin names`)
  }
  return mend(
    "certificate",
    `it ends ${end}, and no pin will name its successor`,
    custom
      ? "it is one of your own (pveproxy-ssl.pem): its successor has a new key unless you keep it. Add the new one's pin before it is put in place"
      : `Proxmox renews it with the same key: add the pin ${pinText(served)} to FELHOM_AGENT_PROXMOX_FINGERPRINT`
  )
}

const nextFinding = (served: Certificate, pins: PeerPins, filename: string, pem: string | null): Finding => {
  const read = readPem(pem ?? "")
  if (Either.isLeft(read)) return worthKnowing("next certificate", `${displayText(filename)}: ${read.left}`)
  const next = read.right
  if (next.leaf === served.leaf) {
    return fine("next certificate", `none is waiting: ${displayText(filename)} is what is served`)
  }
  return pins.some(covers(next))
    ? fine("next certificate", `another one waits in ${displayText(filename)}, and a pin names it`)
    : mend(
      "next certificate",
      `another one waits in ${displayText(filename)}, to be served when pveproxy is reloaded, and no pin names it`,
      `add to FELHOM_AGENT_PROXMOX_FINGERPRINT: ${pinText(next)}`
    )
}

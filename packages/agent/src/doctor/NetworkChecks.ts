import type { PeerPins } from "@felhom/domain/PeerPin"
import { formatFingerprint } from "@felhom/domain/PeerPin"
import { Effect, Either, Option } from "effect"
import type { AddressRange } from "../configure/AddressRange.ts"
import { dropInFile, nameServers, notAllowed, parseDropIn } from "../configure/AllowList.ts"
import { HostFiles } from "../configure/HostFiles.ts"
import { NameLookup } from "../configure/NameLookup.ts"
import { type Finding, fine, mend } from "./Finding.ts"
import { ServedCertificate } from "./ServedCertificate.ts"

const again = "felhom-agent configure, and then: systemctl daemon-reload; systemctl restart felhom-agent.service"

const listOf = (ranges: ReadonlyArray<AddressRange>): string => ranges.map(({ text }) => text).join(", ")

/** Whether the daemon's unit lets it speak to these peers, by the addresses that they have now, and to who knows those. */
export const allowCheck = (
  peers: ReadonlyArray<URL>
): Effect.Effect<ReadonlyArray<Finding>, never, HostFiles | NameLookup> =>
  Effect.gen(function*() {
    const name = "allow list"
    const files = yield* HostFiles
    const text = yield* Effect.either(files.read(dropInFile))
    if (Either.isLeft(text)) return [mend(name, text.left.message)]
    if (Option.isNone(text.right)) {
      return [mend(name, `there is no ${dropInFile}, so the agent may speak to this host alone`, again)]
    }
    const allowed = parseDropIn(text.right.value)
    if (Either.isLeft(allowed)) return [mend(name, `${dropInFile}: ${allowed.left}; systemd passes over it`, again)]
    const names = yield* NameLookup
    const found = yield* Effect.forEach(peers, (url) =>
      Effect.match(names.addresses(url.hostname), {
        onFailure: (error) => [mend(name, error.message)],
        onSuccess: (addresses) => {
          const closed = notAllowed(addresses, allowed.right)
          return closed.length === 0 ? [] : [mend(
            name,
            `${url.hostname} is now at ${listOf(closed)}, which ${dropInFile} does not allow`,
            again,
            "where its addresses change by themselves, name their network in network.allow (felhom-agent configure --allow)"
          )]
        }
      }))
    const resolver = yield* Effect.orElseSucceed(files.read("/etc/resolv.conf"), Option.none)
    const closed = notAllowed(nameServers(Option.getOrElse(resolver, () => "")), allowed.right)
    const findings = [
      ...found.flat(),
      ...(closed.length === 0
        ? []
        : [mend(name, `the resolver ${listOf(closed)} of /etc/resolv.conf is not in ${dropInFile}`, again)])
    ]
    return findings.length > 0 ? findings : [
      fine(name, `${peers.map(({ hostname }) => hostname).join(", ")}: all that they need is allowed`)
    ]
  })

/** Whether the hub answers, and is who the pins say. Nothing is sent to it. */
export const hubCheck = (
  { pins, url }: { readonly url: URL; readonly pins: PeerPins }
): Effect.Effect<ReadonlyArray<Finding>, never, ServedCertificate> =>
  Effect.gen(function*() {
    const tls = yield* ServedCertificate
    const seen = yield* Effect.either(tls.look(url))
    if (Either.isLeft(seen)) {
      return [
        mend(
          "hub",
          `no TLS handshake with ${url.host}: ${seen.left.detail}. Is the hub running, and is its address right (hub.url)?`
        )
      ]
    }
    const served = seen.right
    const at = pins.findIndex((pin) => pin.sha256 === served[pin.kind])
    return [
      at >= 0
        ? fine("hub", `pin ${at + 1} of ${pins.length} names what ${url.host} serves`)
        : mend(
          "hub",
          `${url.host} shows a certificate that no pin names: SHA-256 ${formatFingerprint(served.leaf)}`,
          "compare it with what the hub prints at its start, on the hub's own machine; if it is right, the pin to add to hub.fingerprint is " +
            `spki:${formatFingerprint(served.spki)}`
        )
    ]
  })

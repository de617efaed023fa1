import type { PolicyDocument } from "@felhom/authz/PolicyDocument"
import type { Correction, DesiredPolicy, Floor, MaintenanceWindow } from "@felhom/domain/DesiredPolicy"
import type { HostStoragePolicy, PolicyNetworkStorage } from "@felhom/domain/HostStoragePolicy"
import { list, quoted, row } from "./DisplayLines.ts"
import { type Cell, toned } from "./Table.ts"

// A policy that somebody signs is all of it: a part that no word stands for would be signed unseen.

const signatureWords = ({ signatures }: PolicyDocument): ReadonlyArray<Cell> => [
  row(
    "asks for",
    `${signatures.threshold} ${signatures.threshold === 1 ? "signer" : "signers"} where nothing else is said`
  ),
  ...Object.entries(signatures.thresholds).map(([op, threshold]) => row("", `${threshold} for ${op}`)),
  signatures.softwareKeys
    ? toned("warning", row("takes", "keys that are files, too"))
    : row("takes", "security keys only"),
  row("wants", signatures.verification ? "a PIN or a finger" : "a touch, and neither PIN nor finger")
]

const kindsWith = ({ correction }: DesiredPolicy, wanted: Correction): string =>
  Object.entries(correction).flatMap(([kind, how]) => (how === wanted ? [kind] : [])).join(", ") || "nothing"

const floorWords = ({ free, metadataFree }: Floor): string =>
  `${free} % free, and ${metadataFree} % of a thin pool's metadata`

const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

const windowWords = (timeZone: string) => ({ from, minutes, weekdays: days }: MaintenanceWindow): string =>
  `${from}, for ${minutes} min, ${
    days.length === 0 ? "every day" : days.map((day) => weekdays[day] ?? String(day)).join(", ")
  } (${quoted(timeZone)})`

/** Nothing of it is left out, however long it is. */
const all = Infinity

type Words = (desired: DesiredPolicy) => ReadonlyArray<Cell>

/** In this order. A part of a policy that has no words does not compile. */
const desiredWords: { readonly [part in keyof DesiredPolicy]: Words } = {
  correction: (desired) => [
    row("puts right", kindsWith(desired, "fix")),
    row("only tells", kindsWith(desired, "report")),
    row("looks past", kindsWith(desired, "never"))
  ],
  bridges: ({ bridges }) => list("bridges", bridges.map(quoted), "none but the one that a card is on", all),
  storages: ({ storages }) =>
    list("new guests", storages.map((storage) => `on ${quoted(storage)}`), "on no storage", all),
  images: ({ images }) =>
    list(
      "made from",
      Object.entries(images).map(([name, volid]) => `${quoted(name)}, which is ${quoted(volid)}`),
      "nothing",
      all
    ),
  golden: ({ golden: { images, unread } }) =>
    images.length === 0 ? [] : [
      ...list("golden", images.map((name) => `${quoted(name)}, as its signed manifest says`), "none", all),
      unread
        ? toned("warning", row("", "also where the archive's bytes can't be read"))
        : row("", "only where the archive's bytes are read and are those that were signed")
    ],
  floors: ({ floors }) => [
    row("keeps free", `on each storage ${floorWords(floors.usual)}`),
    ...Object.entries(floors.storages).map(([storage, floor]) => row("", `on ${quoted(storage)} ${floorWords(floor)}`))
  ],
  caps: ({ caps }) => [row("at most", `${caps.creations} new guests and ${caps.grownGib} GiB grown within 24 hours`)],
  blastRadius: ({ blastRadius }) => [row("", `${blastRadius.guests} guests touched within ${blastRadius.minutes} min`)],
  scratch: ({ scratch }) => [
    row("drills use", scratch === null ? "no numbers of their own" : `the numbers ${scratch.from} to ${scratch.to}`)
  ],
  maintenance: ({ maintenance, timeZone }) =>
    list("disturbs", maintenance.map(windowWords(timeZone)), "at any time", all),
  // With each window.
  timeZone: () => []
}

const networkWords = (storage: string, entry: PolicyNetworkStorage): ReadonlyArray<Cell> => {
  const content = entry.type === "pbs" ? ["backup"] : entry.content
  const where = entry.type === "nfs"
    ? entry.export
    : entry.type === "cifs"
    ? entry.share
    : `${entry.port} ${entry.datastore}${entry.namespace === undefined ? "" : ` ${entry.namespace}`}`
  return [
    row("", `${quoted(storage)}, ${entry.type}: ${quoted(entry.server)} ${quoted(where)}, for ${content.join(", ")}`),
    ...(entry.type === "nfs" ? [] : [
      row(
        "",
        `  as ${entry.username === undefined ? "a guest" : quoted(entry.username)}, with ${
          entry.credential === undefined ? "no secret" : `the host's secret ${quoted(entry.credential)}`
        }`
      )
    ]),
    ...(entry.type === "pbs" ? [row("", `  known by ${entry.fingerprint}`)] : [])
  ]
}

/** In this order. A part of it that has no words does not compile. */
const storageParts: { readonly [part in keyof HostStoragePolicy]: (policy: HostStoragePolicy) => ReadonlyArray<Cell> } =
  {
    disks: ({ disks }) =>
      Object.entries(disks).flatMap(([name, set]) => [
        row("", `${quoted(set.storage)}, disks that take turns at /mnt/felhom/${name}, for ${set.content.join(", ")}`),
        ...Object.entries(set.disks).map(([disk, { backAfterDays, serial, uuid }]) =>
          row(
            "",
            `  ${quoted(disk)}: UUID ${uuid}${serial === null ? "" : `, serial ${quoted(serial)}`}${
              backAfterDays === null ? "" : `, back after ${backAfterDays} days`
            }`
          )
        )
      ]),
    network: ({ network }) => Object.entries(network).flatMap(([storage, entry]) => networkWords(storage, entry)),
    writesCluster: ({ writesCluster }) =>
      writesCluster
        ? [toned("warning", row("", "also on a cluster of several nodes, whose storages are everybody's"))]
        : []
  }

const storageWords = (policy: HostStoragePolicy): ReadonlyArray<Cell> => {
  const words = Object.values(storageParts).flatMap((part) => part(policy))
  return words.length === 0 ? [] : ["  storages that the host sets up and keeps:", ...words]
}

/** All that a policy says, in words. */
export const policyWords = (policy: PolicyDocument): ReadonlyArray<Cell> => [
  ...signatureWords(policy),
  "  by the hub's word, without a signature:",
  ...Object.values(desiredWords).flatMap((words) => words(policy.desired)),
  ...storageWords(policy.storage)
]

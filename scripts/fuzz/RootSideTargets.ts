import { displayText } from "@felhom/domain/DisplayText"
import { parseLsblk } from "@felhom/privileged/BlockDevice"
import { listed, placed, verdictOf } from "@felhom/privileged/DiskVerdict"
import { FilesystemUuid, MountName, mountPointOf, MountRequest } from "@felhom/privileged/Mount"
import { parseMountInfo } from "@felhom/privileged/MountInfo"
import { escapePath, mountableTypes, parseUnit, unescapePath, unitNameOf, unitText } from "@felhom/privileged/MountUnit"
import { pctCreateArgv, PctCreateRequest } from "@felhom/privileged/PctCreate"
import { lineLimitBytes } from "@felhom/privileged/RootExchange"
import { DiskDevice, parseSensors, parseSmartctl, smartArgv, SmartRequest } from "@felhom/privileged/Smart"
import { Effect, Either, type ParseResult, Schema } from "effect"
import { isDeepStrictEqual } from "node:util"
import type { Target } from "./Target.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const bytes = (text: string): Uint8Array => encoder.encode(text)
const document = (value: unknown): Uint8Array => bytes(JSON.stringify(value))

/** A fault of the root side: what was let through is not what was meant. */
const must = (holds: boolean, what: string): void => {
  if (!holds) throw new Error(what)
}

const same = (found: unknown, meant: unknown, what: string): void =>
  must(isDeepStrictEqual(found, meant), `${what}: ${JSON.stringify(found)} is not ${JSON.stringify(meant)}`)

const uuid = "1741368e-c387-42cc-8971-e25211e7e768"

const requestOf = <A, I>(schema: Schema.Schema<A, I>) => {
  const decode = Schema.decodeUnknownEither(Schema.parseJson(schema), { onExcessProperty: "error" })
  return (input: Uint8Array): Either.Either<A, string> => Either.mapLeft(decode(decoder.decode(input)), String)
}

const smartRequest = requestOf(SmartRequest)
const mountRequest = requestOf(MountRequest)
const pctCreateRequest = requestOf(PctCreateRequest)

const parsed = <A>(read: Effect.Effect<A, ParseResult.ParseIssue>): Either.Either<A, string> =>
  Effect.runSync(Effect.either(Effect.mapError(read, String)))

/** Every word of a command line: absolute, or no option but those that stand here. */
const plainWords = (words: ReadonlyArray<string>): void => {
  for (const word of words) must(/^[\x21-\x7e]+$/.test(word), `a word of a command line is ${JSON.stringify(word)}`)
}

/** What a `pct create` line says, read as pct reads it: options by name, the rest by place. */
const readPct = (argv: ReadonlyArray<string>) => {
  const [program, verb, vmid, template, ...options] = argv
  const named = new Map<string, string>()
  for (let index = 0; index < options.length; index += 2) named.set(options[index] ?? "", options[index + 1] ?? "")
  const [storage = "", rootGiB = ""] = (named.get("--rootfs") ?? "").split(":")
  const net = new Map((named.get("--net0") ?? "").split(",").map((part) => [part.split("=")[0], part.split("=")[1]]))
  same([program, verb, named.size, net.size], ["/usr/sbin/pct", "create", 9, 3], "a line of pct")
  same([named.get("--features"), named.get("--unprivileged")], ["keyctl=1,nesting=1", "1"], "a container")
  return {
    vmid: Number(vmid),
    template,
    storage,
    rootGiB: Number(rootGiB),
    hostname: named.get("--hostname"),
    cores: Number(named.get("--cores")),
    memoryMiB: Number(named.get("--memory")),
    bridge: net.get("bridge")
  }
}

const golden = {
  vmid: 9000,
  template: "local:vztmpl/debian-13-standard_13.1-1_amd64.tar.zst",
  storage: "local-lvm",
  rootGiB: 8,
  hostname: "golden",
  cores: 2,
  memoryMiB: 1024,
  bridge: "vmbr0"
}

const partition = {
  name: "sdb1",
  path: "/dev/sdb1",
  type: "part",
  fstype: "ext4",
  uuid,
  label: "a\n../..",
  parttype: "0x83",
  size: 1,
  ro: false,
  tran: "usb",
  serial: "x",
  mountpoints: [null]
}

const answerRoom = lineLimitBytes - 100
const disk = Schema.decodeSync(DiskDevice)("/dev/sda")

const fits = (answer: unknown): void => {
  const size = encoder.encode(JSON.stringify(answer)).length
  must(size <= answerRoom, `an answer has ${size} bytes`)
}

const shownAsIs = (text: string | null): void =>
  must(text === null || displayText(text) === text, `what a terminal is shown is ${JSON.stringify(text)}`)

type Read = (input: Uint8Array) => Either.Either<unknown, string>

const readSmart: Read = (input) =>
  Either.map(smartRequest(input), (request) => {
    const argv = smartArgv(request)
    plainWords(argv)
    if (request.action === "smart") same(argv.slice(-1), [request.device], "the disk")
    same(argv.length, request.action === "smart" ? 5 : 2, "the number of words")
  })

const readMount: Read = (input) =>
  Either.map(mountRequest(input), (request) => {
    if (request.action === "list") return
    const unit = unitNameOf(request.name)
    same(unescapePath(unit.slice(0, -".mount".length)), mountPointOf(request.name), "the unit's name")
    must(/^mnt-felhom-[a-z0-9\\]+\.mount$/.test(unit), `a unit is named ${unit}`)
    if (request.action === "eject") return
    for (const type of Object.values(mountableTypes)) {
      const { name, uuid: asked } = request
      const text = unitText({ uuid: asked, name, type })
      same(parseUnit(text), { uuid: asked, name, type }, "the unit")
      same(text.split("\n").length, 14, "the number of the unit's lines")
    }
  })

const readPctCreate: Read = (input) =>
  Either.map(pctCreateRequest(input), (request) => {
    const argv = pctCreateArgv(request)
    plainWords(argv)
    same(readPct(argv), { ...request }, "the container")
  })

/** A request whose values stand in for one hostile string after the other. */
const askedWith: ReadonlyArray<readonly [read: Read, request: { readonly [key: string]: unknown }]> = [
  [readSmart, { action: "smart", device: "/dev/sda" }],
  [readMount, { action: "mount", uuid, name: "backup-1" }],
  [readMount, { action: "eject", name: "backup-1" }],
  [readPctCreate, golden]
]

/** What the root side reads: the agent's requests, and what programs and disks answer. */
export const rootSideTargets: ReadonlyArray<Target> = [
  {
    name: "root side: smart's request",
    seeds: [{ action: "smart", device: "/dev/sda" }, { action: "smart", device: "/dev/nvme0n1" }, { action: "sensors" }]
      .map(document),
    read: readSmart,
    looksPerByte: undefined
  },
  {
    name: "root side: mount's request",
    seeds: [
      { action: "list" },
      { action: "mount", uuid, name: "backup-1" },
      { action: "mount", uuid: "ABCD-1234", name: "a" },
      { action: "eject", name: "backup-1" }
    ].map(document),
    read: readMount,
    looksPerByte: undefined
  },
  {
    name: "root side: pct create's request",
    seeds: [golden, { ...golden, template: "local:vztmpl/a+b_1.tar.gz", hostname: "a", bridge: "b_1" }].map(document),
    read: readPctCreate,
    looksPerByte: undefined
  },
  {
    name: "root side: a value of a request",
    seeds: ["/dev/sda", "/dev/nvme0n1", uuid, "ABCD-1234", "backup-1", golden.template, "local-lvm", "golden", "vmbr0"]
      .map(bytes),
    read: (input) => {
      const text = decoder.decode(input)
      const taken = askedWith.flatMap(([read, request]) =>
        Object.keys(request).filter((key) => Either.isRight(read(document({ ...request, [key]: text }))))
      )
      return taken.length === 0 ? Either.left("no value of any request") : Either.right(taken)
    },
    looksPerByte: undefined
  },
  {
    name: "root side: lsblk",
    seeds: [
      { blockdevices: [{ ...partition, path: "/dev/sdb", type: "disk", fstype: null, children: [partition] }] },
      { blockdevices: [partition, { ...partition, path: "/dev/sdc1" }] }
    ].map(document),
    read: (input) =>
      Either.map(parsed(parseLsblk(decoder.decode(input))), (roots) => {
        const all = placed(roots)
        for (const one of all) {
          const verdict = verdictOf(one, all)
          if (verdict.mountable) same(one.device.uuid, verdict.uuid, "what would be mounted")
          else must(verdict.why !== "" && displayText(verdict.why) === verdict.why, verdict.why)
        }
        const list = listed(roots)
        fits(list)
        for (const { label, path, serial, uuid: found } of list.devices) {
          for (const text of [label, path, serial, found]) shownAsIs(text)
        }
      }),
    looksPerByte: undefined
  },
  {
    name: "root side: what is mounted",
    seeds: ["36 35 98:0 / /mnt/felhom/a rw,nosuid master:1 - ext4 /dev/sdb1 rw\n", "1 1 0:1 / /a\\040b\\134 ro - a b c"]
      .map(bytes),
    read: (input) => {
      const entries = parseMountInfo(decoder.decode(input))
      return entries.length === 0 ? Either.left("no line of it") : Either.right(entries)
    },
    looksPerByte: undefined
  },
  {
    name: "root side: a unit file",
    seeds: Object.values(mountableTypes).map((type) =>
      bytes(unitText({
        uuid: Schema.decodeSync(FilesystemUuid)(uuid),
        name: Schema.decodeSync(MountName)("a-b"),
        type
      }))
    ),
    read: (input) => {
      const text = decoder.decode(input)
      const unit = parseUnit(text)
      if (unit === undefined) return Either.left("not ours")
      same(unitText(unit), text, "a unit file of ours")
      return Either.right(unit)
    },
    looksPerByte: undefined
  },
  {
    name: "root side: a path in a unit's name",
    seeds: ["/mnt/felhom/backup-1", "/dev/disk/by-uuid/AB-1", "/.x/ä b\\%n"].map(bytes),
    read: (input) => {
      const text = decoder.decode(input)
      const escaped = escapePath(text)
      must(/^(?:[a-zA-Z0-9:_.-]|\\x[0-9a-f]{2})+$/.test(escaped), `a unit would be named ${JSON.stringify(escaped)}`)
      same(unescapePath(escaped), `/${text.split("/").filter((part) => part !== "").join("/")}`, "the path")
      return text.startsWith("/") ? Either.right(escaped) : Either.left("not absolute")
    },
    looksPerByte: undefined
  },
  {
    name: "root side: smartctl",
    seeds: [
      {
        json_format_version: [1, 0],
        smartctl: { exit_status: 0 },
        model_name: "x",
        smart_support: { available: true },
        smart_status: { passed: true },
        temperature: { current: 40 }
      }
    ].map(document),
    read: (input) => {
      const answer = parsed(parseSmartctl(disk, (input[0] ?? 0) & 0xfc, decoder.decode(input)))
      return Either.map(answer, fits)
    },
    looksPerByte: undefined
  },
  {
    name: "root side: sensors",
    seeds: [{ "coretemp-isa-0000": { Adapter: "ISA", "Core 0": { temp2_input: 41, temp2_max: 100 } } }].map(document),
    read: (input) =>
      Either.map(parsed(parseSensors(decoder.decode(input))), (result) => {
        fits(result)
        if (result.action === "sensors") { for (const { sensor } of result.temperatures) shownAsIs(sensor) }
      }),
    looksPerByte: undefined
  }
]

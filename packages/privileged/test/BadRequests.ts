import type { RootVerb } from "@felhom/domain/port/RootSocket"

/** A line that no root helper may do anything for. */
export interface BadRequest {
  readonly verb: RootVerb
  readonly line: string
}

const uuid = "1741368e-c387-42cc-8971-e25211e7e768"

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

const noRequest: ReadonlyArray<string> = [
  "",
  " ",
  "null",
  "true",
  "0",
  "\"\"",
  "[]",
  "{}",
  "[{}]",
  "{",
  "}",
  "smart",
  "{'action':'list'}",
  "{\"action\":\"list\"}{\"action\":\"list\"}",
  "{\"action\":\"list\"},",
  "{\"action\":}",
  "{\"action\":null}",
  "{\"action\":[\"list\"]}",
  "{\"action\":\"LIST\"}",
  "{\"action\":\"reboot\"}",
  "{\"action\":\"constructor\"}",
  "{\"__proto__\":{\"action\":\"list\"}}",
  "{\"verb\":\"list\"}",
  "GET / HTTP/1.1",
  "\u0000",
  "\ufeff{}",
  "$(reboot)",
  "; reboot",
  `{"action":"${"a".repeat(8000)}"}`,
  "[".repeat(4000)
]

const names: ReadonlyArray<unknown> = [
  "",
  "-x",
  "x-",
  "X",
  ".",
  "..",
  "../etc",
  "a/b",
  "/etc",
  "a b",
  "a\nb",
  "a\u0000",
  "a.mount",
  "%n",
  "$HOME",
  "a;b",
  "ä",
  "a".repeat(33),
  null,
  7,
  ["a"],
  { a: 1 }
]

const uuids: ReadonlyArray<unknown> = [
  "",
  "..",
  "../sda1",
  "/dev/sda1",
  "sda1",
  `${uuid}/..`,
  `${uuid}\n`,
  ` ${uuid}`,
  `UUID=${uuid}`,
  uuid.replace("1", "%"),
  uuid.slice(1),
  `${uuid}0`,
  "abcd-1234",
  "ABCD_1234",
  "g".repeat(16),
  null,
  1,
  [uuid],
  { uuid }
]

const devices: ReadonlyArray<unknown> = [
  "",
  "/dev/sda1",
  "/dev/sda ",
  "/dev/sda\n",
  "/dev/sda\u0000",
  "/dev/../etc/shadow",
  "/dev/disk/by-id/x",
  "/dev/sd",
  "/dev/SDA",
  "/dev/sda --set=x",
  "--all",
  "-x",
  "sda",
  "/dev/nvme",
  "/dev/nvme0n1p1",
  "/dev/mapper/x",
  "/dev/sdaaaa",
  "/dev/md0",
  "/dev/sda;reboot",
  null,
  0,
  ["/dev/sda"]
]

const wrongOf: { readonly [key in keyof typeof golden]: ReadonlyArray<unknown> } = {
  vmid: [99, 0, -1, 1e10, 100.5, "9000", null, "9000 --force"],
  template: [
    "",
    "--force",
    "local:vztmpl/../../etc/passwd",
    "local:vztmpl/a b",
    "local:vztmpl/-x",
    "local:iso/x.iso",
    "local:backup/x.tar.zst",
    "/var/x.tar.zst",
    "http://evil/x.tar.zst",
    "local:vztmpl/x\n",
    `local:vztmpl/${"x".repeat(300)}`,
    null
  ],
  storage: ["", "-x", "local:8,acl=1", "a b", "local,mp=/", "local\n", "/mnt", null, 1],
  rootGiB: [0, -1, 1025, 1e9, 1.5, "8", null],
  hostname: ["", "-a", "a-", "a b", "a --unprivileged 0", "a\n", "a.b,c", "a".repeat(64), null],
  cores: [0, -1, 129, 1.5, "2", null],
  memoryMiB: [0, 15, 1_048_577, 0.5, "1024", null],
  bridge: ["", "-x", "vmbr0,hwaddr=00:00:00:00:00:00", "vmbr 0", "0br", "a".repeat(16), "vmbr0\n", null]
}

const more: ReadonlyArray<readonly [RootVerb, object]> = [
  ["smart", { action: "sensors", device: "/dev/sda" }],
  ["smart", { action: "sensors", options: "-s" }],
  ["smart", { action: "smart", device: "/dev/sda", test: "long" }],
  ["smart", { action: "list" }],
  ["mount", { action: "list", uuid }],
  ["mount", { action: "mount", uuid }],
  ["mount", { action: "mount", name: "x" }],
  ["mount", { action: "mount", uuid, name: "x", options: "exec" }],
  ["mount", { action: "mount", uuid, name: "x", fstype: "ext4" }],
  ["mount", { action: "mount", uuid, name: "x", source: "/dev/sda1" }],
  ["mount", { action: "eject", name: "x", force: true }],
  ["mount", { action: "mount", uuid, name: "x", marked: true }],
  ["mount", { action: "mount", uuid, name: "x", marked: { rule: "same" } }],
  ["mount", { action: "mount", uuid, name: "x", marked: { rule: "write", mark: "a".repeat(32) } }],
  ["mount", { action: "mount", uuid, name: "x", marked: { rule: "fresh", mark: "../../../etc/cron.d/x" } }],
  ["mount", { action: "mount", uuid, name: "x", marked: { rule: "fresh", mark: "a".repeat(31) } }],
  ["mount", { action: "mount", uuid, name: "x", marked: { rule: "fresh", mark: "a".repeat(32), path: "/etc" } }],
  ["mount", { action: "list", marked: { rule: "any", mark: "a".repeat(32) } }],
  ["mount", { action: "eject", name: "x", marked: { rule: "any", mark: "a".repeat(32) } }],
  ["mount", { action: "sensors" }],
  ["pct-create", { ...golden, features: "mknod=1" }],
  ["pct-create", { ...golden, unprivileged: 0 }],
  ["pct-create", { ...golden, "--force": 1 }],
  ["pct-create", { ...golden, mp0: "/etc,mp=/etc" }]
]

const verbs: ReadonlyArray<RootVerb> = ["smart", "mount", "pct-create"]

const of = (verb: RootVerb) => (request: object): BadRequest => ({ verb, line: JSON.stringify(request) })

/** Made by hand, each for another reason. */
export const badRequests: ReadonlyArray<BadRequest> = [
  ...verbs.flatMap((verb) => noRequest.map((line) => ({ verb, line }))),
  ...names.map((name) => ({ action: "mount", uuid, name })).map(of("mount")),
  ...names.map((name) => ({ action: "eject", name })).map(of("mount")),
  ...uuids.map((wrong) => ({ action: "mount", uuid: wrong, name: "x" })).map(of("mount")),
  ...devices.map((device) => ({ action: "smart", device })).map(of("smart")),
  ...Object.entries(wrongOf).flatMap(([key, values]) =>
    values.map((value) => of("pct-create")({ ...golden, [key]: value }))
  ),
  ...Object.keys(golden).map((key) => of("pct-create")({ ...golden, [key]: undefined })),
  ...more.map(([verb, request]) => of(verb)(request))
]

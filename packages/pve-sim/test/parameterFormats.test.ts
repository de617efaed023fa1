import { it } from "@effect/vitest"
import { agentPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect } from "effect"
import { expect } from "vitest"
import { ask, node, secrets } from "./Asking.ts"

const sixteen = Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: agentPrivileges } }))

const config = `${node}/lxc/9999/config`

/** What Proxmox's own schema code says of each value, line for line. */
const cases: ReadonlyArray<readonly [name: string, value: string, said: string]> = [
  [
    "net0",
    "name=eth0,ip=auto",
    "format error\nnet0.ip: invalid format - value does not look like a valid ipv4 network configuration\n\n"
  ],
  [
    "net0",
    "name=eth0,ip=192.0.2.5",
    "format error\nnet0.ip: invalid format - value does not look like a valid ipv4 network configuration\n\n"
  ],
  [
    "net0",
    "name=eth0,gw=foo",
    "format error\nnet0.gw: invalid format - value does not look like a valid IPv4 address\n\n"
  ],
  [
    "net0",
    "name=eth0,ip6=x",
    "format error\nnet0.ip6: invalid format - value does not look like a valid ipv6 network configuration\n\n"
  ],
  [
    "net0",
    "name=eth0,hwaddr=01:24:11:00:00:01",
    "format error\nnet0.hwaddr: invalid format - value does not look like a valid unicast MAC address\n\n"
  ],
  ["net0", "name=eth0,tag=4095", "format error\nnet0.tag: value must have a maximum value of 4094\n"],
  ["net0", "name=eth0,name=eth1", "duplicate key in comma-separated list property: name\n"],
  ["net0", "eth0", "value without key, but schema does not define a default key\n"],
  [
    "mp0",
    "ctstore:1,mp=/x/../y",
    "format error\nmp0.mp: invalid format - /x/../y contains illegal character sequences\n\n"
  ],
  ["mp0", "volume=ctstore:1,ctstore:2", "duplicate key in comma-separated list property: volume\n"],
  ["mp0", "ctstore:1,mp=", "missing key in comma-separated list property\n"],
  [
    "rootfs",
    "ctstore:1,size=x",
    "format error\nrootfs.size: invalid format - value does not look like a valid disk size: x\n\n"
  ],
  [
    "rootfs",
    "ctstore:1,mountoptions=bad",
    "format error\nrootfs.mountoptions: value does not match the regex pattern\n"
  ],
  ["features", "nesting=1,nesting=1", "duplicate key in comma-separated list property: nesting\n"],
  ["features", "mount=a/b", "format error\nfeatures.mount: value does not match the regex pattern\n"],
  ["features", "nesting=2", "format error\nfeatures.nesting: type check ('boolean') failed - got '2'\n"],
  ["dev0", "/etc/x", "format error\ndev0.path: invalid format - /etc/x is not a valid device path\n\n"],
  ["nameserver", "host", "value does not look like a valid IP address\n"],
  ["searchdomain", "a_b", "value does not look like a valid DNS name\n"],
  ["startup", "order=x", "unable to parse startup options\n"],
  ["timezone", "Nope/Zone", "invalid time zone 'Nope/Zone'\n"],
  ["hookscript", "/a/b", "unable to parse volume ID '/a/b'\n"]
]

it.effect("a value of no container option is refused in Proxmox's words", () =>
  Effect.forEach(cases, ([name, value, said]) =>
    Effect.gen(function*() {
      const { errors, status } = yield* ask("PUT", config, `${name}=${encodeURIComponent(value)}`)
      expect([name, value, status, errors]).toEqual([name, value, 400, { [name]: `invalid format - ${said}` }])
    })).pipe(sixteen))

it.effect("addresses, time zones and mounts as people write them are taken", () =>
  Effect.forEach([
    "net0=" + encodeURIComponent("name=eth0,bridge=vmbr0,ip=192.0.2.5/24,gw=192.0.2.1,ip6=2001:db8::1/64,gw6=fe80::1"),
    "nameserver=" + encodeURIComponent("192.0.2.1 fe80::1%eth0"),
    "timezone=Europe%2FBudapest",
    "timezone=host",
    "startup=" + encodeURIComponent("order=1,up=5"),
    "mp0=" + encodeURIComponent("ctstore:0.5,mp=/data,backup=yes,mountoptions=noatime;nodev")
  ], (form) =>
    Effect.gen(function*() {
      const { errors, status } = yield* ask("PUT", config, form)
      expect([form, status, errors]).toEqual([form, 200, undefined])
    })).pipe(sixteen))

it.effect("lists of other endpoints are checked, too: contents, retentions, pools, statuses, receivers, storages", () =>
  Effect.forEach(
    [
      [
        "GET",
        `${node}/storage/local/content?content=images,rootdir`,
        "content",
        "invalid format - invalid content type 'images,rootdir'\n"
      ],
      [
        "GET",
        `${node}/storage/l/content`,
        "storage",
        "invalid format - storage ID 'l' cannot be shorter than 2 characters\n"
      ],
      ["GET", `${node}/storage/local/prunebackups?prune-backups=keep-all%3D1`, "prune-backups", undefined],
      ["GET", `${node}/tasks?statusfilter=nope`, "statusfilter", "invalid format - invalid status 'nope'\n"],
      [
        "GET",
        `${node}/lxc/9999/rrddata?timeframe=decade`,
        "timeframe",
        "value 'decade' does not have a value in the enumeration 'hour, day, week, month, year'"
      ],
      [
        "GET",
        "/api2/json/pools?poolid=a/b/c/d",
        "poolid",
        "invalid format - pool name 'a/b/c/d' nested too deeply (max levels = 3)\n"
      ]
    ] as const,
    ([method, path, name, said]) =>
      Effect.gen(function*() {
        const { errors } = yield* ask(method, path)
        expect([path, errors]).toEqual([path, said === undefined ? undefined : { [name]: said }])
      })
  ).pipe(sixteen))

it.effect("a backup's options are refused where they make no sense together", () =>
  Effect.forEach(
    [
      ["prune-backups=" + encodeURIComponent("keep-all=1,keep-last=1"), {
        "prune-backups": "invalid format - keep-all cannot be set together with other options.\n"
      }],
      ["fleecing=1", { fleecing: "invalid format - 'storage' parameter is required when 'enabled' is set\n" }],
      ["performance=max-workers%3D0", {
        performance: "invalid format - format error\nperformance.max-workers: value must have a minimum value of 1\n"
      }],
      ["mailto=%40x", { mailto: "invalid format - value does not look like a valid email address or user name\n" }],
      ["stdout=1", { stdout: "option is only allowed on the command line interface." }],
      ["notes-template=" + encodeURIComponent("{{guestname}} {{nope}} \\x"), {
        "notes-template": "found unknown: escape sequence '\\x' at char 23, variable 'nope' at char 18\n"
      }]
    ] as const,
    ([form, errors]) =>
      Effect.gen(function*() {
        const told = yield* ask("POST", `${node}/vzdump`, `vmid=9999&storage=local&${form}`)
        expect([form, told.errors]).toEqual([form, errors])
      })
  ).pipe(sixteen))

import { rootChanges } from "@felhom/pve-sim/conform/RootCommand"
import type { ConsoleChange } from "@felhom/pve-sim/ConsoleChange"
import { expect, test } from "vitest"

const told = (command: string, output = "") => {
  const { changes, refused } = rootChanges(
    { before_n: 1, what: "", command, changes: [], output },
    (token) => `${token}-secret`
  )
  return { changes: changes.map(({ change }) => change), lenient: changes.map(({ lenient }) => lenient), refused }
}

const changesOf = (command: string, output?: string): ReadonlyArray<ConsoleChange> => told(command, output).changes

test("a loop over guests is unrolled, and what stands behind a condition may fail", () => {
  expect(
    told(
      "bash -c for i in 8040 8041; do [ -f /etc/pve/lxc/$i.conf ] && { pct stop $i; pct destroy $i --force 1; }; done; pvesm remove bkp"
    )
  )
    .toEqual({
      changes: [
        { _tag: "guest.status", vmid: 8040, status: "stopped" },
        { _tag: "guest.destroy", vmid: 8040 },
        { _tag: "guest.status", vmid: 8041, status: "stopped" },
        { _tag: "guest.destroy", vmid: 8041 },
        { _tag: "storage.remove", storage: "bkp" }
      ],
      lenient: [true, true, true, true, false],
      refused: []
    })
})

test("loops in loops are unrolled from the inside", () => {
  expect(
    changesOf(
      "for p in / /vms; do for r in A B; do pveum acl delete $p --tokens 'u@pve!t' --roles $r 2>/dev/null; done; done"
    ).length
  )
    .toBe(4)
})

test("lines that are added to a guest's file by a here-document are added here, too", () => {
  expect(
    changesOf(
      "[ -f /etc/pve/lxc/8020.conf ] || pct create 8020 x --hostname odd\ncat >> /etc/pve/lxc/8020.conf <<X\nhookscript: local:snippets/hook.sh\nlxc.environment: A=1\nX\ncat /etc/pve/lxc/8020.conf"
    )
  )
    .toEqual([
      { _tag: "guest.create", vmid: 8020, type: "lxc", config: { hostname: "odd" } },
      {
        _tag: "guest.file",
        vmid: 8020,
        type: "lxc",
        text: "hookscript: local:snippets/hook.sh\nlxc.environment: A=1",
        append: true
      }
    ])
})

test("how full a file system is in the end, the output of df and pvesm status tells", () => {
  expect(changesOf(
    "dd if=/dev/zero of=/mnt/tinyfs/filler bs=1M count=$(( $(df --output=avail -m /mnt/tinyfs | tail -1) - 3 )); df /mnt/tinyfs",
    "Filesystem     1K-blocks  Used Available Use% Mounted on\n/dev/loop1         21623 17036      2868  86% /mnt/tinyfs\nctstore       btrfs     active         8388608          162788         7690300    1.94%"
  )).toEqual([
    { _tag: "storage.size", storage: "/mnt/tinyfs", total: 22141952, avail: 2936832 },
    { _tag: "storage.size", storage: "ctstore", total: 8589934592, avail: 7874867200 }
  ])
})

test("archives are cut, emptied and copied by the tools of the shell", () => {
  const from = "/var/lib/vz/dump/vzdump-lxc-1-2026_11_22-01_43_43.tar.zst"
  const to = "/var/lib/vz/dump/vzdump-lxc-1-2026_11_22-01_01_01.tar.zst"
  expect(changesOf(`head -c $(( $(stat -c %s ${from})*60/100 )) ${from} > ${to}; : > ${to}; cp ${from} ${to}`)).toEqual(
    [
      { _tag: "archive.copy", from, to, damage: "truncated" },
      { _tag: "archive.damage", volid: to, damage: "empty" },
      { _tag: "archive.copy", from, to }
    ]
  )
})

test("users, tokens, groups, pools and ACL entries come and go by pveum's old and new names", () => {
  expect(changesOf(
    "pveum useradd bob@pve -groups staff; pveum user token add bob@pve t1 --privsep 0; pveum user token modify bob@pve t1 --expire 5; pveum aclmod /vms -group staff -role PVEAuditor; pveum pool add lab; pveum pool modify lab --vms 101; pveum role delete Old; pveum user delete bob@pve"
  )).toEqual([
    { _tag: "user.set", userid: "bob@pve", enable: 1, groups: ["staff"] },
    { _tag: "token.add", tokenid: "bob@pve!t1", privsep: 0, expire: 0, comment: undefined, secret: "t1-secret" },
    { _tag: "token.change", tokenid: "bob@pve!t1", expire: 5 },
    { _tag: "acl.add", entry: { path: "/vms", type: "group", ugid: "staff", roleid: "PVEAuditor", propagate: 1 } },
    { _tag: "pool.change", poolid: "lab", leave: false, vms: [], storages: [] },
    { _tag: "pool.change", poolid: "lab", leave: false, vms: [101], storages: [] },
    { _tag: "role.remove", roleid: "Old" },
    { _tag: "user.remove", userid: "bob@pve" }
  ])
})

test("a guest that is to ignore every signal is known by its init, and one that is restored by its archive", () => {
  expect(
    changesOf(
      "R=/var/lib/lxc/8051/rootfs; printf '#!/bin/sh\ntrap \"\" PWR INT\n' > $R/sbin/init; pct restore 8030 local:backup/a.tar.zst --storage ctstore"
    )
  )
    .toEqual([
      { _tag: "guest.stubborn", vmid: 8051, stubborn: true },
      {
        _tag: "guest.restore",
        vmid: 8030,
        archive: "local:backup/a.tar.zst",
        storage: "ctstore",
        force: false,
        unique: false,
        config: {}
      }
    ])
})

test("a command that means nothing here is named, unless it may have failed there", () => {
  expect(told("frobnicate --all; frobnicate 2>/dev/null").refused).toEqual([
    "frobnicate --all: this command is not understood"
  ])
})

import { describe, expect, it } from "@effect/vitest"
import { GuestResource, plainGuestResource } from "@felhom/proxmox/GuestRows"
import {
  NodeRow,
  NodeStatus,
  plainNodeRow,
  plainNodeStatus,
  plainThinPoolRow,
  ThinPoolRow
} from "@felhom/proxmox/NodeRows"
import type { Plain } from "@felhom/proxmox/Plain"
import { plainStorageResource, plainStorageRow, StorageResource, StorageRow } from "@felhom/proxmox/StorageRows"
import { Either, FastCheck, Option, Predicate, Schema } from "effect"
import { answers } from "./Recordings.ts"

const dataOf = (path: RegExp): ReadonlyArray<unknown> =>
  answers.filter((recording) => path.test(recording.path)).map(({ body }): unknown => JSON.parse(body).data)

const rowsOf = (path: RegExp, ...types: ReadonlyArray<string>): ReadonlyArray<unknown> =>
  dataOf(path).flatMap((data) => (Array.isArray(data) ? data : [])).filter((row) =>
    types.length === 0 || types.includes(row.type)
  )

interface Kind {
  readonly name: string
  readonly plain: Plain<unknown>
  readonly schema: (value: unknown) => Either.Either<unknown, unknown>
  readonly recorded: ReadonlyArray<unknown>
}

const kind = <A, I>(
  name: string,
  schema: Schema.Schema<A, I>,
  plain: Plain<A>,
  recorded: ReadonlyArray<unknown>
): Kind => ({
  name,
  plain,
  schema: Schema.decodeUnknownEither(schema),
  recorded
})

const kinds: ReadonlyArray<Kind> = [
  kind("the node's state", NodeStatus, plainNodeStatus, dataOf(/^[^?]*\/nodes\/[^/]+\/status$/)),
  kind("a guest in the cluster's list", GuestResource, plainGuestResource, rowsOf(/cluster\/resources/, "lxc", "qemu")),
  kind("a node in the cluster's list", NodeRow, plainNodeRow, rowsOf(/cluster\/resources/, "node")),
  kind(
    "a storage in the cluster's list",
    StorageResource,
    plainStorageResource,
    rowsOf(/cluster\/resources/, "storage")
  ),
  // As `lvs` tells it (pve-storage LVMPlugin): nobody recorded a host with one.
  kind("a thin pool", ThinPoolRow, plainThinPoolRow, [{
    vg: "pve",
    lv: "data",
    lv_size: 367_259_279_360,
    lv_state: "a",
    lv_type: "t",
    used: 12_853_074_777,
    metadata_size: 3_749_707_776,
    metadata_used: 41_621_756,
    ctime: "1795304787"
  }]),
  kind("a storage of the node", StorageRow, plainStorageRow, rowsOf(/\/nodes\/[^/]+\/storage(\?|$)/))
]

// What may stand where a value is expected, in this or another release, or from somebody who means harm.
const odd: ReadonlyArray<unknown> = [
  null,
  undefined,
  "",
  "0",
  "1",
  "101",
  "1.5",
  " 2",
  "0x10",
  "1e3",
  "Infinity",
  "running",
  "paused",
  "lxc",
  "b;a,b c",
  "../x",
  "\u0000",
  0,
  1,
  2,
  -1,
  0.5,
  -0,
  101,
  1e21,
  Infinity,
  true,
  false,
  [],
  [1, "0.25", "2"],
  ["1e3"],
  ["x"],
  [null],
  {},
  { total: 1 },
  { total: "1", used: null },
  { total: [] },
  { release: 6 }
]

const differing = ({ plain, schema }: Kind, value: unknown): boolean => {
  const found = plain(value)
  if (found === undefined) return false
  const told = schema(value)
  try {
    expect(Either.getOrUndefined(told)).toEqual(found)
    return Either.isLeft(told)
  } catch {
    return true
  }
}

/** The record with one of its values, or one of a record's within it, exchanged. */
const withOne = (value: unknown, path: ReadonlyArray<string>, by: unknown): unknown => {
  const [key, ...rest] = path
  if (key === undefined) return by
  return {
    ...(Predicate.isRecord(value) ? value : {}),
    [key]: withOne(Predicate.isRecord(value) ? value[key] : {}, rest, by)
  }
}

const pathsOf = (value: unknown): ReadonlyArray<ReadonlyArray<string>> =>
  Predicate.isRecord(value)
    ? Object.entries(value).flatMap(([key, inner]) => [[key], ...pathsOf(inner).map((path) => [key, ...path])])
    : []

describe.each(kinds)("$name", (one) => {
  it("as it was recorded is read without its schema, as the schema reads it", () => {
    expect(one.recorded.length).toBeGreaterThan(0)
    for (const value of one.recorded) {
      expect(one.plain(value)).toBeDefined()
      expect(one.plain(value)).toEqual(Either.getOrUndefined(one.schema(value)))
    }
  })

  it("with anything odd in any place is read as its schema reads it, or left to it", () => {
    for (const value of one.recorded) {
      for (const path of pathsOf(value)) {
        for (const by of odd) {
          const changed = withOne(value, path, by)
          expect([differing(one, changed), path, by]).toEqual([false, path, by])
        }
      }
    }
    for (const by of odd) expect(differing(one, by)).toBe(false)
  })

  it("with some of its keys left out or made of anything is read as its schema reads it, or left to it", () => {
    const [first] = one.recorded
    const keys = [...Object.keys(Predicate.isRecord(first) ? first : {}), "unknown"]
    const values = FastCheck.dictionary(
      FastCheck.constantFrom(...keys),
      FastCheck.oneof(FastCheck.jsonValue(), FastCheck.constantFrom(...odd))
    )
    FastCheck.assert(
      FastCheck.property(
        values,
        FastCheck.constantFrom(...one.recorded),
        (some, value) =>
          !differing(one, some) && !differing(one, { ...(Predicate.isRecord(value) ? value : {}), ...some })
      ),
      { numRuns: 300 }
    )
  })
})

it("what is not plain is still understood by its schema", () => {
  const row = { storage: "nas", type: "nfs", content: "backup", active: "1", enabled: true, used: "5" }
  expect(plainStorageRow(row)).toBeUndefined()
  expect(Option.getOrThrow(Schema.decodeUnknownOption(StorageRow)(row))).toMatchObject({ active: true, used: 5 })
})

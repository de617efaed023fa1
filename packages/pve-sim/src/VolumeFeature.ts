import type { Machine } from "./Machine.ts"
import { typeOf } from "./StorageState.ts"

/** What a volume can be asked for; a snapshot of it, and what a template's volume stands on, may be asked for other things. */
export type Feature = "snapshot" | "clone" | "copy" | "template"

type State = "base" | "current" | "snap"

type Formats = ReadonlyArray<string>

/** The formats for which a type of storage has a feature, by the state that the volume is in. */
type Table = { readonly [feature in Feature]: { readonly [state in State]?: Formats } }

const images = ["qcow2", "raw", "vmdk"]
const withSubvolumes = [...images, "subvol"]
const blocks = ["raw", "subvol"]

const files: Table = {
  snapshot: { current: ["qcow2"], snap: ["qcow2"] },
  clone: { base: images },
  copy: { base: images, current: images, snap: ["qcow2"] },
  template: { current: withSubvolumes }
}

const tables: { readonly [type: string]: Table } = {
  btrfs: {
    snapshot: { current: ["qcow2", ...blocks], snap: ["qcow2", ...blocks] },
    clone: { base: withSubvolumes, current: ["raw"], snap: ["raw"] },
    copy: { base: withSubvolumes, current: withSubvolumes, snap: ["qcow2", ...blocks] },
    template: { current: withSubvolumes }
  },
  zfspool: {
    snapshot: { current: blocks, snap: blocks },
    clone: { base: blocks },
    copy: { base: blocks, current: blocks },
    template: { current: blocks }
  },
  lvmthin: {
    snapshot: { current: blocks },
    clone: { base: blocks, snap: blocks },
    copy: { base: blocks, current: blocks, snap: blocks },
    template: { current: blocks }
  },
  rbd: {
    snapshot: { current: blocks, snap: blocks },
    clone: { base: blocks, snap: blocks },
    copy: { base: blocks, current: blocks, snap: blocks },
    template: { current: blocks }
  },
  lvm: { snapshot: {}, clone: {}, copy: { base: blocks, current: blocks }, template: {} },
  pbs: { snapshot: {}, clone: {}, copy: {}, template: {} }
}

/** Whether a guest's volume has the feature where it lies; a bind or device mount has none (platform-facts 5.11). */
export const hasFeature = (
  machine: Machine,
  type: "lxc" | "qemu",
  feature: Feature,
  source: string,
  ofSnapshot = false
): boolean => {
  const storage = machine.storages.get(source.slice(0, Math.max(0, source.indexOf(":"))))
  if (storage === undefined) return false
  const kind = typeOf(storage)
  // A linked clone on storages of files is a qcow2, which no container uses.
  if (feature === "clone" && type === "lxc" && tables[kind] === undefined) return false
  const format = /\.(raw|qcow2|vmdk|subvol)$/.exec(source)?.[1] ??
    (/[:/](?:subvol|basevol)-/.test(source) ? "subvol" : "raw")
  const state = ofSnapshot ? "snap" : /[:/]base(?:vol)?-/.test(source) ? "base" : "current"
  return (tables[kind] ?? files)[feature][state]?.includes(format) === true
}

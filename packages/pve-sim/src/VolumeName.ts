import type { Machine } from "./Machine.ts"
import { typeOf } from "./StorageState.ts"

/** What a volume's name tells, whether there is such a volume or not. */
export interface VolumeName {
  readonly storage: string
  readonly name: string
  readonly content: string
  readonly owner: number | undefined
}

type Named = { readonly content: string; readonly owner?: string | undefined }

const images = (owner: string | undefined): Named => ({ content: "images", owner })

const image = /^(?:(?:vm-|base-|subvol-)\d+-[^/\s]+|(?:base-)?[^/\s]+)\.(?:raw|qcow2|vmdk|subvol)$/

const compressor = "(?:gz|lzo|zst|bz2)"
const files: ReadonlyArray<readonly [pattern: RegExp, content: string]> = [
  [/^iso\/[^/]+\.(?:iso|img)$/i, "iso"],
  [/^vztmpl\/[^/]+\.(?:tar|tar\.(?:gz|xz|zst|bz2))$/i, "vztmpl"],
  [/^snippets\/[^/]+$/, "snippets"],
  [/^import\/[^/]+\.(?:ova|ovf|qcow2|raw|vmdk)$/, "import"]
]

/** The names on storages that keep files; text: Proxmox's words for a name that is none. */
const inDirectory = (name: string): Named | string => {
  const [, owner, file] = /^(?:\d+\/\S+\/)?(\d+)\/([^\s/]+)$/.exec(name) ?? []
  if (file !== undefined) return image.test(file) ? images(owner) : `unable to parse volume filename '${file}'`
  const [, archive] = new RegExp(`^backup/([^/]+\\.(?:tgz|(?:tar|vma)(?:\\.${compressor})?))$`).exec(name) ?? []
  if (archive !== undefined) {
    return { content: "backup", owner: /^vzdump-(?:openvz|lxc|qemu)-(\d+)-.+/.exec(archive)?.[1] }
  }
  const content = files.find(([pattern]) => pattern.test(name))?.[1]
  return content === undefined ? `unable to parse directory volume name '${name}'` : { content }
}

const onZfs = (name: string): Named | string => {
  const [, owner] = /^(?:(?:base|basevol)-\d+-\S+\/)?(?:base|basevol|vm|subvol)-(\d+)-\S+$/.exec(name) ?? []
  return owner === undefined ? `unable to parse zfs volume name '${name}'` : images(owner)
}

const onLvm = (name: string): Named | string => {
  const [, owner] = /^(?:vm|base)-(\d+)-\S+$/.exec(name) ?? []
  return owner === undefined ? `unable to parse lvm volume name '${name}'` : images(owner)
}

const onBackupServer = (name: string): Named | string => {
  const [, id] = /^backup\/[^\s_]+\/([^\s_]+)\/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.exec(name) ?? []
  if (id === undefined) return `unable to parse PBS volume name '${name}'`
  return { content: "backup", owner: /^\d+$/.test(id) ? id : undefined }
}

const parsers: { readonly [type: string]: (name: string) => Named | string } = {
  zfspool: onZfs,
  lvm: onLvm,
  lvmthin: onLvm,
  pbs: onBackupServer
}

const anyVolid = /^([a-z][a-z0-9\-_.]*[a-z0-9]):(.+)$/i

/** Takes a volid apart. Text: why Proxmox can't, in its words; undefined: it is no volid at all, but a path or worse. */
export const parseVolid = (machine: Machine, volid: string): VolumeName | string | undefined => {
  const [, storage, name] = anyVolid.exec(volid) ?? []
  if (storage === undefined || name === undefined) return undefined
  const state = machine.storages.get(storage)
  if (state === undefined) return `storage '${storage}' does not exist`
  const named = (parsers[typeOf(state)] ?? inDirectory)(name)
  return typeof named === "string"
    ? named
    : { storage, name, content: named.content, owner: named.owner === undefined ? undefined : Number(named.owner) }
}

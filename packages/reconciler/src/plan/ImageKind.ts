import type { GuestType, Volid } from "@felhom/domain/ProxmoxId"

const ofArchives: { readonly [word: string]: GuestType } = {
  lxc: "lxc",
  openvz: "lxc",
  ct: "lxc",
  qemu: "qemu",
  vm: "qemu"
}

/**
 * What an image is by its name alone: a container's template, or whose archive (platform-facts 1.5.2, 6.6). Null: an archive
 * under a name of its own, whose configuration tells.
 */
export const imageKind = (image: Volid): "template" | GuestType | null => {
  const [, content, name = ""] = /^[^:]+:(vztmpl|backup)\/(.*)$/.exec(image) ?? []
  if (content === "vztmpl") return "template"
  const [, word = ""] = /^(?:vzdump-(lxc|openvz|qemu)-)/.exec(name) ?? /^(ct|vm)\/\d+\//.exec(name) ?? []
  return content === "backup" ? ofArchives[word] ?? null : null
}

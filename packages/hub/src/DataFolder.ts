import { Context, Layer } from "effect"
import { existsSync, mkdirSync } from "node:fs"
import { dirname } from "node:path"

/** The folder that holds the store, the server's key and its certificate. */
export class DataFolder extends Context.Tag("felhom/hub/DataFolder")<DataFolder, { readonly path: string }>() {
  static readonly layer = (path: string): Layer.Layer<DataFolder> => Layer.succeed(DataFolder, { path })
}

/** Makes the folder, for its owner only, when it is not there; throws as `node:fs` does. */
export const makeFolder = (path: string): void => {
  if (existsSync(path)) return
  // Node's recursive mkdir never returns below a parent that refuses new names with ENOENT, as /proc does.
  mkdirSync(path, { recursive: !existsSync(dirname(path)), mode: 0o700 })
}

import { Schema } from "effect"

/** A backup could not be made, or not be restored; what was there before is as it was. */
export class BackupError extends Schema.TaggedError<BackupError>()("BackupError", {
  reason: Schema.Literal("no-store", "exists", "not-a-backup", "newer", "in-use", "failed"),
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    switch (this.reason) {
      case "no-store":
        return `there is no store in ${this.path}: name the folder that hub serve uses (--data, FELHOM_HUB_DATA)`
      case "exists":
        return `${this.path} is there already and was left as it is; name another file, or overwrite it with --force`
      case "not-a-backup":
        return `${this.path} is not a whole backup of a hub: ${this.detail}. Nothing was restored`
      case "newer":
        return `${this.path} was made by a newer hub (${this.detail}); restore it with that version. Nothing was restored`
      case "in-use":
        return `${this.path} is not empty: a backup is restored into an empty or new folder only. Stop the hub there, ` +
          "move that folder away, and try again"
      case "failed":
        return `${this.path}: ${this.detail}; nothing was changed`
    }
  }
}

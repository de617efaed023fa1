/** The project's version: what every program answers to `--version`. Held equal to package.json by a test. */
export const version = "0.8.2"

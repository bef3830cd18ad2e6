// Makes dist/ of src/: one script, one style sheet, one page. The same sources give the same bytes.
import { build } from "esbuild";
import { copyFile, mkdir, readFile } from "node:fs/promises";

const licences = await Promise.all(["preact/LICENSE", "postal-mime/LICENSE.txt"].map(async (file) =>
  `${file.split("/")[0]}:\n${(await readFile(`node_modules/${file}`, "utf8")).trim()}`));
await mkdir("dist", { recursive: true });
await build({
  entryPoints: { console: "src/main.jsx" },
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  jsx: "automatic",
  jsxImportSource: "preact",
  charset: "utf8",
  legalComments: "none",
  banner: { js: `/* This script contains\n\n${licences.join("\n\n")}\n*/` },
  logLevel: "warning",
});
await copyFile("src/console.css", "dist/console.css");
await copyFile("src/index.html", "dist/index.html");

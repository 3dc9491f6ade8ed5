/**
 * Runs a script of this folder: `node scripts/run.mjs demo --json`. Plain JavaScript, so that an
 * old Node gets a sentence instead of a syntax error; the scripts themselves are TypeScript.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const needed = 24
const [name, ...args] = process.argv.slice(2)
const script = new URL(`./${name}.ts`, import.meta.url)
const own = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url))

if (Number(process.versions.node.split('.')[0]) >= needed) {
  process.argv.splice(2, 1)
  await import(script.href)
} else if (existsSync(own)) {
  const child = spawn(own, [fileURLToPath(script), ...args], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code) => process.exit(code ?? 1))
} else {
  process.stderr.write(
    `Tributary needs Node ${needed}; this is ${process.version}, and node_modules has none.\n` +
      'Run `npm ci` without --ignore-scripts, or `npm rebuild node`, or install Node 24.\n',
  )
  process.exit(3)
}

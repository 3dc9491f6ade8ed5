/** `npm run check`: types, Biome, generated files, lock and house rules, then a verdict. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { type CommandInput, runCommand } from './command.ts'
import { driftedFiles } from './generated.ts'
import { pathsOf } from './launch/paths.ts'
import { silentProgress } from './launch/progress.ts'

interface Outcome {
  ok: boolean
  output: string
}

function tool(root: string, args: string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  return { ok: status === 0, output: `${stdout}${stderr}` }
}

async function run({ env, progress, print }: CommandInput): Promise<number> {
  const { root } = pathsOf(env)
  const bin = (name: string) => join(root, 'node_modules', '.bin', name)
  const checks: [string, string, () => Outcome | Promise<Outcome>][] = [
    ['types', 'TypeScript, strict', () => tool(root, [bin('tsc'), '-p', root])],
    ['lint and format', 'Biome', () => tool(root, [bin('biome'), 'check', '--error-on-warnings'])],
    [
      'generated files',
      'db/schema.ts and docs/openapi.json',
      async () => {
        const drifted = await driftedFiles(env, silentProgress())
        return {
          ok: drifted.length === 0,
          output: drifted.map((file) => `${file} is out of date: npm run generate\n`).join(''),
        }
      },
    ],
    [
      'lock file',
      'complete, and naming no host',
      () => tool(root, [join(root, 'scripts', 'complete-lock.mjs'), '--check']),
    ],
    [
      'house rules',
      'test/house.test.ts',
      () => tool(root, [bin('jest'), '--config', 'jest.house.config.mjs']),
    ],
  ]
  const results: { check: string; ok: boolean }[] = []
  for (const [check, what, work] of checks) {
    const step = progress.step(check, what)
    const { ok, output } = await work()
    if (ok) step.done()
    else step.failed(`\n${output}`)
    results.push({ check, ok })
  }
  const ok = results.every((result) => result.ok)
  print({ ok, checks: results }, () => (ok ? 'all checks pass' : 'some checks fail'))
  return ok ? 0 : 1
}

await runCommand({
  name: 'check',
  usage: 'npm run check: types, lint, generated files, lock, house rules',
  run,
})

/** `npm run fuzz`: the suite's fuzzer with many more requests, and whether time tells anything. */
import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { pathsOf } from './launch/paths.ts'

const mostCases = 1_000_000
const mostPairs = 100_000

function whole(value: unknown, flag: string, { usual, most }: { usual: number; most: number }) {
  const number = value === undefined ? usual : Number(value)
  if (Number.isSafeInteger(number) && number >= 1 && number <= most) return number
  throw new CommandError(`--${flag} is a whole number from 1 to ${most}, not ${String(value)}`, 2)
}

/** What a part of the run has written; null where it never got to its end. */
function readReport(file: string): unknown {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null
}

async function run({ env, flags, print }: CommandInput): Promise<number> {
  const { root } = pathsOf(env)
  const cases = whole(flags.cases, 'cases', { usual: 20_000, most: mostCases })
  const pairs = whole(flags.pairs, 'pairs', { usual: 2_000, most: mostPairs })
  const seed = whole(flags.seed, 'seed', { usual: randomInt(1, 2 ** 31), most: 2 ** 31 - 1 })
  const folder = mkdtempSync(join(tmpdir(), 'tributary-fuzz-'))
  const [fuzzReport, timingReport] = [join(folder, 'fuzz.json'), join(folder, 'timing.json')]
  const globals = { fuzzCases: cases, fuzzSeed: seed, fuzzReport, timingPairs: pairs, timingReport }
  const { status } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
      ...['--config', join(root, 'jest-fuzz.config.mjs')],
      ...['--globals', JSON.stringify(globals)],
    ],
    // What the tests say goes beside the result.
    { cwd: root, stdio: ['ignore', process.stderr, process.stderr] },
  )
  const ok = status === 0
  const report = {
    ok,
    seed,
    requests: readReport(fuzzReport),
    timing: readReport(timingReport),
  }
  rmSync(folder, { recursive: true, force: true })
  print(report, () =>
    ok ? `nothing found with seed ${seed}` : `found something; --seed ${seed} repeats it`,
  )
  return ok ? 0 : 1
}

await runCommand({
  name: 'fuzz',
  usage:
    'npm run fuzz: requests of every shape to every operation that the API describes, and the\n' +
    'times of answers about what is foreign beside those about what never was',
  flags: {
    cases: { type: 'string', describe: 'requests to all operations together (20000)' },
    pairs: { type: 'string', describe: 'pairs of answers whose times are compared (2000)' },
    seed: { type: 'string', describe: 'repeats a run' },
  },
  run,
})

/** `npm run demo:verify -- REPORT`: whether a report of the demo has the amounts it must have. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { pathsOf } from './launch/paths.ts'

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

const isObject = (value: Json | undefined): value is { [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The part of `actual` that `expected` speaks of; a list keeps its length. */
function spokenOf(actual: Json | undefined, expected: Json): Json | undefined {
  if (Array.isArray(actual) && Array.isArray(expected)) {
    return actual.map((item, i) => spokenOf(item, expected[i] ?? null) ?? null)
  }
  if (!isObject(actual) || !isObject(expected)) return actual
  return Object.fromEntries(
    Object.entries(expected).map(([name, value]) => [name, spokenOf(actual[name], value) ?? null]),
  )
}

function documentsMissing(report: { [name: string]: Json }): string[] {
  const statements = (report.statements ?? []) as { pdf: string; csv: string }[]
  return statements
    .flatMap(({ pdf, csv }) => [pdf, csv])
    .filter((file) => !existsSync(file))
    .map((file) => `${file}: no such document`)
}

function parsed(file: string): { [name: string]: Json } {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new CommandError(`${file} is no report: ${(error as Error).message}`, 2)
  }
}

/** @returns what differs, a sentence for each part of the report. */
function differences(report: { [name: string]: Json }, expected: { [name: string]: Json }) {
  return Object.entries(expected).flatMap(([part, value]) => {
    const found = spokenOf(report[part], value) ?? null
    if (isDeepStrictEqual(found, value)) return []
    return [`${part}: expected ${JSON.stringify(value)}, found ${JSON.stringify(found)}`]
  })
}

async function run({ env, args, print }: CommandInput): Promise<number> {
  const [file] = args
  if (!file) throw new CommandError('give the file that `npm run -s demo -- --json` printed', 2)
  const report = parsed(file)
  const expected = parsed(join(pathsOf(env).root, 'docs', 'examples', 'demo-report.json'))
  const problems = [...differences(report, expected), ...documentsMissing(report)]
  print({ ok: problems.length === 0, problems }, () =>
    problems.length === 0 ? 'the report has every expected amount' : problems.join('\n'),
  )
  return problems.length === 0 ? 0 : 1
}

await runCommand({
  name: 'demo:verify',
  usage: 'npm run demo:verify -- REPORT: compares a report with docs/examples/demo-report.json',
  run,
})

/** `npm run rules -- FILE`: publishes the commission rules that hold from now on, as versions. */
import { readFileSync } from 'node:fs'
import { publishRules } from '../db/commission/rules.ts'
import { databaseNow, inTransaction, type Trx } from '../db/database.ts'
import { listLinkOwners } from '../db/partner-links.ts'
import { getProgramme } from '../db/programmes.ts'
import type { CommissionRule } from '../domain/commission-rules.ts'
import { type IdKind, uuidOf } from '../domain/ids.ts'
import { linkProblems, type RuleSetProblem, ruleSetProblems } from '../domain/rule-set.ts'
import { readRules, ScenarioError } from '../simulation/scenario.ts'
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { withDatabase } from './stack/database.ts'

/** The least notice that customers' partners get before their terms change. */
const noticeDays = 30
const dayMs = 24 * 3_600_000

function readFile(file: string | undefined): CommissionRule[] {
  if (!file) throw new CommandError('name the file: npm run rules -- FILE', 2)
  try {
    return readRules(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    const why = error instanceof ScenarioError ? error.message : `no JSON: ${error}`
    throw new CommandError(`${file}: ${why}`, 2)
  }
}

/** Outward ids of the scope become those of the database. */
function withUuids(rule: CommissionRule, place: number): CommissionRule {
  const uuid = (kind: IdKind, field: 'link' | 'partner' | 'product') => {
    const id = rule.scope[field]
    if (id === null) return null
    const found = uuidOf(kind, id)
    if (!found) throw new CommandError(`rules[${place}].${field}: ${id} is no id of a ${field}`, 2)
    return found
  }
  const [link, partner] = [uuid('link', 'link'), uuid('partner', 'partner')]
  const product = uuid('featurePackage', 'product')
  return { ...rule, scope: { ...rule.scope, link, partner, product } }
}

/** @throws CommandError with every problem, each at its rules. */
function refuse(problems: RuleSetProblem[]): void {
  const told = problems.map(
    ({ rules: places, problem }) =>
      `${places.map((place) => `rules[${place}]`).join(' and ') || 'rules'}: ${problem}`,
  )
  if (told.length > 0) throw new CommandError(told.join('\n'), 2)
}

function checked(rules: CommissionRule[]): CommissionRule[] {
  const dated = rules.flatMap(({ validFrom, validTo }, place) =>
    validFrom || validTo
      ? [{ rules: [place], problem: 'a set is valid from its publication on: leave times out' }]
      : [],
  )
  refuse([...dated, ...ruleSetProblems(rules)])
  return rules.map(withUuids)
}

function noticeOf(flag: CommandInput['flags'][string]): number | null {
  if (flag === undefined) return null
  const days = Number(flag)
  if (Number.isInteger(days) && days >= noticeDays) return days
  throw new CommandError(`--migrate-after takes whole days, at least ${noticeDays}`, 2)
}

async function publish(trx: Trx, rules: CommissionRule[], notice: number | null) {
  const links = rules.flatMap(({ scope }) => scope.link ?? [])
  refuse(linkProblems(rules, await listLinkOwners(trx, links)))
  const { id: programmeId } = await getProgramme(trx)
  const from = await databaseNow(trx)
  const migratesAt = notice === null ? null : new Date(from.getTime() + notice * dayMs)
  const versions = await publishRules(trx, { programmeId, rules, from, migratesAt })
  return { from, migratesAt, versions }
}

async function run({ env, args, flags, print }: CommandInput): Promise<number> {
  const rules = checked(readFile(args[0]))
  const notice = noticeOf(flags['migrate-after'])
  if (!env.databaseUrl) throw new CommandError('set DATABASE_URL to the database', 2)
  const { from, migratesAt, versions } = await withDatabase(env.databaseUrl, ({ db }) =>
    inTransaction(db, (trx) => publish(trx, rules, notice)),
  )
  print(
    { from, migrates_at: migratesAt, versions: Object.fromEntries(versions) },
    () =>
      `published from ${from.toISOString()} on: ` +
      [...versions].map(([code, version]) => `${code} version ${version}`).join(', '),
  )
  return 0
}

await runCommand({
  name: 'rules',
  usage: 'npm run rules -- FILE: publishes commission rules (see docs/examples/rules.json)',
  flags: {
    'migrate-after': {
      type: 'string',
      describe: 'days of notice after which customers of older versions follow; never without it',
    },
  },
  run,
})

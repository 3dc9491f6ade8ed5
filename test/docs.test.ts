/** Documents say what is there: commands exist, tables are complete, examples are true. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { marginal } from '../domain/commission.ts'
import { clawBack } from '../domain/commission-reversals.ts'
import { convert, decimalAmount, formatMoney } from '../domain/currencies.ts'
import { basisPoints, splitWhole, sum } from '../domain/money.ts'
import { createTestDatabase } from './support/database.ts'

const root = join(import.meta.dirname, '..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const pages = [
  'README.md',
  'CHANGELOG.md',
  'docker-compose.yml',
  'Dockerfile',
  ...['docs', 'docs/decisions'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((file) => file.endsWith('.md'))
      .map((file) => `${folder}/${file}`),
  ),
]

describe('the documents', () => {
  it('name no command that does not exist', () => {
    const { scripts } = JSON.parse(read('package.json'))
    const missing = pages.flatMap((page) =>
      [...read(page).matchAll(/npm\s+run\s+(?:-s\s+)?([a-z][\w:]*)/g)]
        .map((match) => match[1] ?? '')
        .filter((name) => !(name in scripts))
        .map((name) => `${page}: npm run ${name}`),
    )
    expect(missing).toEqual([])
  })

  it('name no file of the project that does not exist', () => {
    const files = pages.flatMap((page) =>
      [
        ...read(page).matchAll(/`((?:api|db|domain|scripts|workflows|worker|test)\/[\w./-]+)`/g),
      ].map((match) => match[1] ?? ''),
    )
    expect(files.length).toBeGreaterThan(5)
    const missing = files.filter((file) => !readable(file))
    expect(missing).toEqual([])
  })

  it('list every setting with its default', () => {
    const rows = [...read('docs/operations.md').matchAll(/^\| `([A-Z_]+)` +\| *(\S*) /gm)]
    const documented = Object.fromEntries(
      rows.map(([, name = '', value = '']) => [name, value.replace(/[`|]/g, '')]),
    )
    const settings = [
      ...[read('config/settings.ts'), read('config/key-encryption.ts')]
        .join('\n')
        .matchAll(/^ {2}([A-Z][A-Z_]+): ([\s\S]*?),\n(?= {2}\S|})/gm),
    ]
    const declared = Object.fromEntries(
      settings.map(([, name = '', schema = '']) => {
        const given = /\.default\('?([^')]+)'?\)/.exec(schema)?.[1]
        return [name, given ?? (schema === 'flag' ? '0' : '')]
      }),
    )
    expect(settings.length).toBeGreaterThan(20)
    expect(documented).toEqual(declared)
  })

  it('give statements for the database that it understands', async () => {
    const database = await createTestDatabase(2)
    try {
      const blocks = [...read('docs/operations.md').matchAll(/```sql\n([\s\S]*?)```/g)]
      expect(blocks.length).toBeGreaterThan(0)
      for (const [, statement = ''] of blocks) await sql.raw(statement).execute(database.db)
    } finally {
      await database.drop()
    }
  })
})

describe('the worked examples of docs/money.md', () => {
  const page = read('docs/money.md').replace(/\s+/g, ' ')
  const amount = (minor: bigint) => decimalAmount(minor, 'USD')

  it('split a line as the product does', () => {
    const { shares, rest } = splitWhole(9_999n, [basisPoints(2_000), basisPoints(500)])
    const [seller = 0n, master = 0n] = shares
    expect(page).toContain(`**${amount(seller)}, ${amount(master)}, ${amount(rest)}**`)
  })

  it('read bands as the product does', () => {
    const rate = (bps: number) => basisPoints(bps)
    const bands = [
      { from: 0n, to: 100_000n, rate: rate(1_500) },
      { from: 100_000n, to: null, rate: rate(2_000) },
    ]
    const targets = [99_997n, 100_003n, 145_004n].map((volume) => marginal(bands, volume))
    const earned = targets.map((target, i) => amount(target - (targets[i - 1] ?? 0n)))
    expect(page).toContain(`**${earned[0]}, ${earned[1]} and ${earned[2]}**`)
  })

  it('convert as the product does', () => {
    const euros = convert(2_000n, '0.92341', { from: 'USD', to: 'EUR' })
    expect(page).toContain(`**${formatMoney(euros, 'EUR')}**`)
  })

  it('take back as the product does', () => {
    const steps: bigint[] = []
    for (const reversedBase of [3_333n, 6_666n, 9_999n]) {
      const accrual = { amount: 2_000n, base: 9_999n, reversedBase, clawedBack: sum(steps) }
      steps.push(clawBack(accrual))
    }
    const [first, second, third] = steps.map(amount)
    expect(page).toContain(`take ${first}, ${second} and ${third} of 20.00`)
  })
})

function readable(file: string): boolean {
  try {
    return existsSync(join(root, file)) && statSync(join(root, file)).isDirectory()
      ? true
      : read(file) !== ''
  } catch {
    return false
  }
}

/** What came of the two months, with the reason of every number. */
import type { Db } from '../../db/database.ts'
import { formatMoney } from '../../domain/currencies.ts'
import { explain } from '../reasons.ts'
import type { Story } from './client.ts'
import { names, type TwoMonths, type Who } from './two-months.ts'

/** Figures of a statement in cents, in the order in which they add up. */
type Figures = Record<(typeof figureNames)[number], number>

const figureNames = [
  ...(['opening', 'earned', 'clawed_back', 'adjustments'] as const),
  ...(['closing', 'held', 'payable', 'carried'] as const),
] as const

const of = (figures: Partial<Figures>): Figures => ({
  ...{ opening: 0, earned: 0, clawed_back: 0, adjustments: 0 },
  ...{ closing: 0, held: 0, payable: 0, carried: 0 },
  ...figures,
})

/** What the statements have to say, worked out by hand from 20 % and 5 %. */
const expected: Record<'first' | 'second', Partial<Record<Who, Figures>>> = {
  first: {
    harbor: of({ earned: 1_850, closing: 1_850, payable: 1_850 }),
    alpine: of({ earned: 6_500, closing: 6_500, held: 3_000, payable: 3_500, carried: 3_000 }),
    bright: of({ earned: 4_000, closing: 4_000, payable: 4_000 }),
    delta: of({ earned: 26_000, closing: 26_000, held: 12_000, payable: 14_000, carried: 12_000 }),
    corner: of({ earned: 400, closing: 400, carried: 400 }),
    echo: of({ earned: 3_000, closing: 3_000, payable: 3_000 }),
  },
  second: {
    harbor: of({ earned: 650, clawed_back: 250, closing: 400, carried: 400 }),
    alpine: of({ opening: 3_000, earned: 400, clawed_back: 3_000, closing: 400, carried: 400 }),
    bright: of({ earned: 3_600, clawed_back: 1_000, closing: 2_600, payable: 2_600 }),
    delta: of({ opening: 12_000, clawed_back: 12_000 }),
    corner: of({ opening: 400, earned: 600, closing: 1_000, payable: 1_000 }),
  },
}

interface Statement extends Figures {
  id: string
  number: string
  partner: string
  period: string
  currency: string
  held_for: { cause: string; amount: number }[]
  carried_for: { reason: string; amount: number }[]
  lines: { id: string; kind: string; amount: number }[]
}

export interface Explained extends Figures {
  partner: string
  period: string
  number: string
  currency: string
  /** Why each figure is what it is, entry by entry. */
  why: string[]
  as_expected: boolean
}

interface Reading {
  story: Story
  db: Db
  key: string
}

/** Every statement of both months with its reasons, in the order in which they were issued. */
export async function explainStatements(
  reading: Reading,
  { months, cast }: TwoMonths,
): Promise<Explained[]> {
  const { story, key } = reading
  const whoIs = new Map((Object.keys(cast) as Who[]).map((who) => [cast[who].partner, who]))
  const found: Explained[] = []
  for (const month of ['first', 'second'] as const) {
    const list = await story.all<Statement>(`/v1/statements?period=${months[month]}`, key)
    for (const { id } of list.reverse()) {
      const statement = await story.api<Statement>(`/v1/statements/${id}`, { key })
      const who = whoIs.get(statement.partner) ?? 'harbor'
      const figures = figuresOf(statement)
      found.push({
        partner: names[who],
        period: statement.period,
        number: statement.number,
        currency: statement.currency,
        ...figures,
        why: await reasonsOf(
          reading,
          statement,
          found.findLast((one) => one.partner === names[who]),
        ),
        as_expected: JSON.stringify(figures) === JSON.stringify(expected[month][who]),
      })
    }
  }
  return found
}

/** Partners for which there is a statement too few or too many. */
export function missingStatements(found: Explained[], { months }: TwoMonths): string[] {
  return (['first', 'second'] as const).flatMap((month) => {
    const wanted = Object.keys(expected[month]) as Who[]
    const seen = found.filter(({ period }) => period === months[month])
    const without = wanted.filter((who) => !seen.some(({ partner }) => partner === names[who]))
    const many = seen.length > wanted.length - without.length ? ['more than expected'] : []
    return [...without.map((who) => `no statement of ${names[who]}`), ...many]
  })
}

const figuresOf = (statement: Figures) =>
  Object.fromEntries(figureNames.map((name) => [name, statement[name]])) as Figures

async function reasonsOf(
  { db }: Reading,
  statement: Statement,
  last: Explained | undefined,
): Promise<string[]> {
  const money = (amount: number) => formatMoney(BigInt(amount), statement.currency)
  const lines: string[] = []
  for (const { id } of statement.lines) {
    const reason = await explain(db, id)
    lines.push(reason?.sentences[0] ?? `${id} has no reason`)
  }
  return [
    ...(statement.opening !== 0
      ? [`${money(statement.opening)} was carried over from ${last?.number}.`]
      : []),
    ...lines,
    ...statement.held_for.map(({ cause, amount }) => `${money(amount)} is held: ${cause}.`),
    ...statement.carried_for.map(({ reason, amount }) => `${money(amount)} is carried: ${reason}.`),
    ...(statement.payable > 0 ? [`${money(statement.payable)} is paid.`] : []),
  ]
}

/** What is shown apart from the statements, each with whether it went as it has to. */
export interface Tale {
  name: string
  happened: string
  as_expected: boolean
}

interface Facts {
  transfers: { partner: string; amount: number }[]
  tierChanges: { partner: string; from: string; to: string }[]
  /** What the seller earned on its sale after the tier change. */
  later: { amount: number; why: string } | undefined
}

/** The five awkward things, in sentences. */
export function talesOf({ payout }: TwoMonths, statements: Explained[], facts: Facts): Tale[] {
  const find = (who: Who, nth: number) =>
    statements.filter(({ partner }) => partner === names[who])[nth]
  const has = (statement: Explained | undefined, what: RegExp) =>
    statement?.as_expected === true && statement.why.some((reason) => what.test(reason))
  const toEcho = facts.transfers.filter(({ partner }) => partner === names.echo)
  const rise = facts.tierChanges.find(({ partner }) => partner === names.delta)
  return [
    {
      name: 'refund after the payout',
      happened: `${names.bright} was paid 40.00 and gives 10.00 of it back a month later`,
      as_expected: has(find('bright', 1), /taken back by refund/),
    },
    {
      name: 'dispute lost after a tier change',
      happened:
        `${names.delta} became ${rise?.to ?? 'nothing'}; the lost sale takes back what it had ` +
        `earned at 20 %, the next one earns 25 %: ${facts.later?.why ?? 'nothing'}`,
      as_expected:
        rise?.to === 'silver' &&
        facts.later?.amount === 2_500 &&
        has(find('delta', 1), /taken back by dispute/),
    },
    {
      name: 'below the minimum',
      happened: `${names.corner} earned 4.00, which is carried and paid with the next month`,
      as_expected:
        has(find('corner', 0), /below_minimum/) && has(find('corner', 1), /carried over/),
    },
    {
      name: 'a payout that succeeds on the second attempt',
      happened: payout.timeline.map(({ what }) => what).join(', '),
      as_expected:
        toEcho.length === 1 &&
        payout.bank_payouts.some(({ status }) => status === 'failed') &&
        payout.bank_payouts.some(({ status }) => status === 'paid'),
    },
    {
      name: 'a move between masters',
      happened: `${names.harbor} earns on the sale before it, ${names.alpine} on the one after it`,
      as_expected: has(find('harbor', 1), /100\.00/) && has(find('alpine', 1), /80\.00/),
    },
  ]
}

/** The events of a scenario in order of delivery, and what contradicts itself among them. */
import { smaller } from '../domain/money.ts'
import {
  type Located,
  type ScenarioEvent,
  type ScenarioProblem,
  type StatedEvent,
  shown,
} from './scenario-types.ts'

type Of<Type extends ScenarioEvent['type']> = Extract<ScenarioEvent, { type: Type }>
type Payment = Of<'payment'>
type Dispute = Of<'dispute_opened' | 'dispute_lost' | 'dispute_won'>

/** What makes two events the same event; null where each stands for itself. */
function identityOf(event: StatedEvent): { key: string; field: 'id' | 'of' } | null {
  switch (event.type) {
    case 'tier':
    case 'move':
      return null
    case 'refund_failed':
      return { key: `failed/${event.of}`, field: 'of' }
    case 'refund':
    case 'credit_note':
      return { key: `refund/${event.id}`, field: 'id' }
    default:
      return { key: `${event.type}/${event.id}`, field: 'id' }
  }
}

/** The whole event but for when it reached us: what is sent again arrives later. */
function contentOf({ receivedAt: _, ...content }: StatedEvent): string {
  const entries = Object.entries(content).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify(entries, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
}

const later = (a: Date, b: Date) => (a > b ? a : b)

/** Fills in when each event reached us and leaves out what was delivered before. */
export function delivered(stated: Located<StatedEvent>[]): {
  events: Located<ScenarioEvent>[]
  problems: ScenarioProblem[]
} {
  const known = new Map<string, Located<StatedEvent>>()
  const events: Located<ScenarioEvent>[] = []
  const problems: ScenarioProblem[] = []
  let previous: Date | null = null
  for (const entry of stated) {
    const { path, value } = entry
    const receivedAt: Date = value.receivedAt ?? later(value.at, previous ?? value.at)
    const identity = identityOf(value)
    const earlier = identity ? known.get(identity.key) : undefined
    if (identity && earlier) {
      problems.push(...contradiction({ entry, earlier, field: identity.field }))
    } else {
      if (identity) known.set(identity.key, entry)
      if (previous) problems.push(...deliveryProblem(path, { receivedAt, previous }))
      events.push({ path, value: { ...value, receivedAt } })
    }
    previous = later(receivedAt, previous ?? receivedAt)
  }
  return { events, problems }
}

function contradiction({
  entry,
  earlier,
  field,
}: {
  entry: Located<StatedEvent>
  earlier: Located<StatedEvent>
  field: 'id' | 'of'
}): ScenarioProblem[] {
  if (contentOf(entry.value) === contentOf(earlier.value)) return []
  const found = shown(Reflect.get(entry.value, field))
  const expected = `the content of ${earlier.path}, which has the same ${field}`
  return [{ path: `${entry.path}.${field}`, found, expected }]
}

function deliveryProblem(
  path: string,
  { receivedAt, previous }: { receivedAt: Date; previous: Date },
): ScenarioProblem[] {
  if (receivedAt >= previous) return []
  const expected = `${previous.toISOString()} or later: the file is in order of delivery`
  return [{ path: `${path}.received_at`, found: receivedAt.toISOString(), expected }]
}

export function eventProblems(events: Located<ScenarioEvent>[]): ScenarioProblem[] {
  const payments = events.flatMap(({ path, value }) =>
    value.type === 'payment' ? [{ path, value }] : [],
  )
  return [
    ...invoiceProblems(payments),
    ...lineProblems(payments),
    ...reversalProblems(events, payments),
    ...disputeProblems(events),
  ]
}

/** An invoice is from one partner to one customer. */
function invoiceProblems(payments: Located<Payment>[]): ScenarioProblem[] {
  const invoices = new Map<string, Located<Payment>>()
  return payments.flatMap((payment) => {
    const first = invoices.get(payment.value.invoice) ?? payment
    invoices.set(payment.value.invoice, first)
    const differing = (['partner', 'customer'] as const).filter(
      (field) => payment.value[field] !== first.value[field],
    )
    return differing.map((field) => ({
      path: `${payment.path}.${field}`,
      found: shown(payment.value[field]),
      expected: `${shown(first.value[field])} as in ${first.path}, which pays the same invoice`,
    }))
  })
}

/** The parts of a line agree on the whole where they state it, and do not pay more than it. */
function lineProblems(payments: Located<Payment>[]): ScenarioProblem[] {
  const lines = Map.groupBy(payments, ({ value }) => JSON.stringify([value.invoice, value.line]))
  return [...lines.values()].flatMap(partProblems)
}

function partProblems(parts: Located<Payment>[]): ScenarioProblem[] {
  const whole = parts.find(({ value }) => value.lineAmount !== null)
  const lineAmount = whole?.value.lineAmount ?? null
  if (!whole || lineAmount === null) return []
  let left = lineAmount
  return parts.flatMap(({ path, value: { amount, lineAmount: stated } }) => {
    const before = left
    left -= smaller(amount, left)
    const wrong = (field: string, facts: { found: bigint; expected: string }) => [
      { path: `${path}.${field}`, found: shown(facts.found), expected: facts.expected },
    ]
    if (stated !== null && stated !== lineAmount) {
      const expected = `${lineAmount} as in ${whole.path}, which pays the same line`
      return wrong('line_amount', { found: stated, expected })
    }
    if (stated !== null && stated < amount) {
      return wrong('line_amount', { found: stated, expected: `at least amount, ${amount}` })
    }
    if (amount <= before) return []
    const expected = `at most ${before}, what earlier payments left of the line`
    return wrong('amount', { found: amount, expected })
  })
}

/** Each refund, credit note and dispute alone stays within its payment. */
function reversalProblems(
  events: Located<ScenarioEvent>[],
  payments: Located<Payment>[],
): ScenarioProblem[] {
  const paid = new Map(payments.map(({ value }) => [value.id, value.amount]))
  return events.flatMap(({ path, value }) => {
    if (!('of' in value) || value.type === 'refund_failed') return []
    const amount = paid.get(value.of)
    if (amount === undefined || value.amount <= amount) return []
    const expected = `at most ${amount}, what payment ${shown(value.of)} paid`
    return [{ path: `${path}.amount`, found: shown(value.amount), expected }]
  })
}

const isDispute = (event: ScenarioEvent): event is Dispute => event.type.startsWith('dispute_')

/** What is opened, lost and won under one id is one dispute, so it is about one payment. */
function disputeProblems(events: Located<ScenarioEvent>[]): ScenarioProblem[] {
  const disputed = new Map<string, Located<Dispute>>()
  return events.flatMap(({ path, value }) => {
    if (!isDispute(value)) return []
    const first = disputed.get(value.id) ?? { path, value }
    disputed.set(value.id, first)
    if (value.of === first.value.of) return []
    const expected = `${shown(first.value.of)} as in ${first.path}, which is the same dispute`
    return [{ path: `${path}.of`, found: shown(value.of), expected }]
  })
}

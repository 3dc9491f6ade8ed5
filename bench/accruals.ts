/** `bench accruals`: booking paid invoices, beside the bare SQL that writes the same rows. */
import { isDeepStrictEqual } from 'node:util'
import { sql } from 'kysely'
import { bookInvoice, bookInvoices } from '../activities/commission/payments.ts'
import { workContext } from '../activities/context.ts'
import { inboxBatch } from '../activities/inbox.ts'
import { storeContextKey } from '../db/context-keys.ts'
import { type Db, openDatabase, serverVersion } from '../db/database.ts'
import { checkInvariants } from '../db/invariants.ts'
import { migrate } from '../db/migrations.ts'
import { processRoles } from '../db/roles.ts'
import { openTenancy } from '../db/tenancy.ts'
import { outwardId } from '../domain/ids.ts'
import { sum } from '../domain/money.ts'
import type { PaidInvoice } from '../integrations/stripe-billing.ts'
import { createDatabase, databaseUrl, dropDatabase } from '../scripts/launch/databases.ts'
import type { Progress } from '../scripts/launch/progress.ts'
import { bookFloor, prepareFloor, printOf } from './accruals-floor.ts'
import { linesOfInvoice, makeWorld, type WorldSize } from './accruals-world.ts'
import { machine, median, rotated, rounded, spread, timed } from './rounds.ts'

export interface AccrualsBench extends WorldSize {
  rounds: number
  /** A server on which databases may be made. */
  serverUrl: string
  /** The beginning of their names. */
  name: string
  progress: Progress
}

interface Round {
  floor: number
  control: number
  ours: number
  /** The most memory that this process had while it booked, in MB. */
  memory: number
}

/** Invoices that the row-at-a-time loop books. */
const sampleOfLoop = 2_000

/** Invoices that are made at once, outside of the clock. */
const pageSize = 2_000

export async function benchAccruals(options: AccrualsBench) {
  const { rounds, serverUrl, name, progress, lines, partners } = options
  const size = { lines, partners }
  const template = `${name}_world`
  const step = progress.step('world', `${size.lines} paid lines, ${size.partners} partners`)
  const version = await inDatabase(serverUrl, { database: template }, async (db) => {
    await migrate(db)
    await makeWorld(db, size)
    return serverVersion(db)
  })
  step.done()
  const found: Round[] = []
  let facts = { rows: {} as Record<string, number>, bytesPerAccrual: 0, checked: 0 }
  for (let round = 0; round < rounds; round += 1) {
    await inDatabase(serverUrl, { database: `${name}_round`, template }, async (db, worker) => {
      await storeContextKey(db, contextSecret)
      found.push(await playRound(db, { worker, round, progress }))
      if (round === 0) facts = await proven(db, progress)
    })
    await dropDatabase(serverUrl, `${name}_round`)
  }
  const rowLoop = await inDatabase(
    serverUrl,
    { database: `${name}_loop`, template },
    async (db, worker) => {
      await storeContextKey(db, contextSecret)
      return rowLoopSeconds(db, { worker, lines: size.lines, progress })
    },
  )
  await dropDatabase(serverUrl, `${name}_loop`)
  await dropDatabase(serverUrl, template)
  return report({ found, rowLoop, version, size, ...facts })
}

const contextSecret = 'a benchmark has nothing to hide'

/** Works in a new database: as its owner, and with the pool and the rights of a worker. */
async function inDatabase<T>(
  serverUrl: string,
  { database, template }: { database: string; template?: string },
  work: (db: Db, worker: Db) => Promise<T>,
): Promise<T> {
  await createDatabase(serverUrl, database, template ? { template } : {})
  const url = databaseUrl(serverUrl, database)
  const tenancy = openTenancy({
    url,
    poolSize: 4,
    applicationName: 'tributary-bench-worker',
    role: processRoles.worker,
    contextSecret,
    onError: () => {},
  })
  const { db, close } = openDatabase({
    url,
    poolSize: 4,
    applicationName: 'tributary-bench',
    onError: () => {},
  })
  try {
    return await work(db, tenancy.dbFor(workContext))
  } finally {
    await tenancy.close()
    await close()
  }
}

type Variant = 'floor' | 'control' | 'ours'

async function playRound(
  db: Db,
  { worker, round, progress }: { worker: Db; round: number; progress: Progress },
): Promise<Round> {
  const figures: Round = { floor: 0, control: 0, ours: 0, memory: 0 }
  for (const variant of rotated<Variant>(['floor', 'ours', 'control'], round)) {
    const step = progress.step(`round ${round + 1}`, variant)
    if (variant !== 'ours') await prepareFloor(db)
    await sql`checkpoint`.execute(db)
    if (variant === 'ours') {
      const ours = await bookOurs(db, worker, (done) => step.update('booked', done))
      figures.ours = ours.seconds
      figures.memory = ours.memory
    } else {
      figures[variant] = await timed(() => bookFloor(db))
    }
    step.done(`${rounded(figures[variant])} s`)
  }
  return figures
}

/** The booking of the inbox, in its batches; making the invoices is outside of the clock. */
async function bookOurs(db: Db, worker: Db, onDone: (fraction: number) => void) {
  let seconds = 0
  let memory = 0
  let booked = 0
  const total = await countInvoices(db)
  for await (const page of pagesOfInvoices(db)) {
    seconds += await timed(async () => {
      for (let next = 0; next < page.length; next += inboxBatch) {
        await bookInvoices({ db: worker }, page.slice(next, next + inboxBatch))
        memory = Math.max(memory, process.memoryUsage().rss / 2 ** 20)
      }
    })
    booked += page.length
    onDone(booked / total)
  }
  return { seconds, memory }
}

async function countInvoices(db: Db): Promise<number> {
  const { rows } = await sql<{ count: bigint }>`select count(*) from bench.invoices`.execute(db)
  return Number(rows[0]?.count ?? 0n)
}

async function* pagesOfInvoices(db: Db): AsyncGenerator<PaidInvoice[]> {
  for (let from = 0; ; from += pageSize) {
    const { rows } = await sql<InvoiceRow>`
      select invoice.no, invoice.subscription_id, invoice.paid_at, line.product_no, line.net,
        line.tax, line.vendor_line_id
      from bench.invoices invoice join bench.lines line on line.invoice_no = invoice.no
      where invoice.no >= ${from} and invoice.no < ${from + pageSize}
      order by invoice.no, line.no`.execute(db)
    if (rows.length === 0) return
    yield [...Map.groupBy(rows, ({ no }) => no).values()].map(paidInvoice)
  }
}

interface InvoiceRow {
  no: number
  subscriptionId: string
  paidAt: Date
  productNo: number
  net: bigint
  tax: bigint
  vendorLineId: string
}

/** As the vendor's answer is read. */
function paidInvoice(rows: InvoiceRow[]): PaidInvoice {
  const [first] = rows
  if (!first) throw new Error('an invoice has lines')
  const total = sum(rows.flatMap(({ net, tax }) => [net, tax]))
  return {
    invoiceId: `in_${first.no}`,
    currency: 'USD',
    total,
    settled: true,
    lines: rows.map(({ vendorLineId, productNo, net, tax }) => ({
      lineId: vendorLineId,
      product: `prod_${productNo}`,
      quantity: 1,
      setupFee: false,
      net,
      tax,
    })),
    payments: [
      {
        paymentId: `inpay_${first.no}`,
        chargeId: `ch_${first.no}`,
        amount: total,
        lineId: null,
        paidAt: first.paidAt,
      },
    ],
    subscriptionId: null,
    metadata: { subscription: outwardId('subscription', first.subscriptionId) },
  }
}

/** @throws Error where the two did not write the same rows, or the books break an invariant. */
async function proven(db: Db, progress: Progress) {
  const step = progress.step('proof', 'both wrote the same rows')
  const [floor, ours] = [await printOf(db, 'floor'), await printOf(db, 'public')]
  if (!isDeepStrictEqual(floor, ours)) {
    throw new Error(`the rows differ: ${JSON.stringify({ floor, ours })}`)
  }
  const { checked, violations } = await checkInvariants(db)
  if (violations.length > 0) throw new Error(`the books are broken: ${JSON.stringify(violations)}`)
  step.done(`${checked} invariants hold`)
  const rows = Object.fromEntries(Object.entries(ours).map(([table, print]) => [table, print.rows]))
  const { rows: sizes } = await sql<{ bytes: bigint }>`
    select pg_total_relation_size('accruals') as bytes`.execute(db)
  const bytes = Number(sizes[0]?.bytes ?? 0n)
  return { rows, bytesPerAccrual: Math.round(bytes / (rows.accruals ?? 1)), checked }
}

/** One invoice after another on a sample, for as many as there are. */
async function rowLoopSeconds(
  db: Db,
  { worker, lines, progress }: { worker: Db; lines: number; progress: Progress },
): Promise<number> {
  const step = progress.step('row loop', `${sampleOfLoop} invoices, one transaction each`)
  for await (const page of pagesOfInvoices(db)) {
    const sample = page.slice(0, sampleOfLoop)
    const seconds = await timed(async () => {
      for (const invoice of sample) await bookInvoice({ db: worker }, invoice)
    })
    step.done(`${rounded(seconds)} s`)
    return (seconds * lines) / (sample.length * linesOfInvoice)
  }
  return 0
}

interface Findings {
  found: Round[]
  rowLoop: number
  rows: Record<string, number>
  bytesPerAccrual: number
  checked: number
  version: string
  size: WorldSize
}

function report({ found, rowLoop, rows, bytesPerAccrual, checked, version, size }: Findings) {
  const floors = found.map(({ floor }) => floor)
  const ours = found.map((round) => round.ours)
  const ratios = found.map((round) => round.ours / round.floor)
  const controls = found.map((round) => round.control / round.floor)
  return {
    bench: 'accruals',
    ratio: rounded(median(ratios)),
    floor_s: rounded(median(floors)),
    ours_s: rounded(median(ours)),
    row_loop_s: rounded(rowLoop),
    row_loop_extrapolated_from: sampleOfLoop * linesOfInvoice,
    rows,
    bytes_per_accrual: bytesPerAccrual,
    invariants: { checked, violations: [] },
    node_rss_mb: Math.round(Math.max(...found.map(({ memory }) => memory))),
    ...size,
    rounds: found.length,
    batch: inboxBatch,
    spread: {
      floor_s: spread(floors),
      ours_s: spread(ours),
      ratio: spread(ratios),
      control_ratio: spread(controls),
    },
    machine: machine(version),
  }
}

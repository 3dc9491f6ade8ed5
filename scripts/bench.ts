/** `npm run bench -- NAME`: what the product costs beside the least that its work can cost. */
import { benchAccess } from '../bench/access.ts'
import { benchAccruals } from '../bench/accruals.ts'
import { benchOnboarding } from '../bench/onboarding.ts'
import { benchSettlement } from '../bench/settlement.ts'
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { requireLoopback } from './launch/databases.ts'
import { freePort } from './launch/ports.ts'
import { startPostgres } from './launch/postgres.ts'

/** A server of its own, and a name for what a benchmark makes there. */
interface Place {
  serverUrl: string
  name: string
}

/** Benchmarks of what the product does in its database. */
const ofDatabase: Record<string, (input: CommandInput, place: Place) => Promise<void>> = {
  async accruals({ flags, progress, print }, place) {
    const size = {
      lines: whole(flags.lines, 1_000_000, 'lines'),
      partners: whole(flags.partners, 100_000, 'partners'),
    }
    const rounds = whole(flags.rounds, 3, 'rounds')
    const report = await benchAccruals({ ...size, ...place, rounds, progress })
    print(
      report,
      () =>
        `${report.ours_s} s beside ${report.floor_s} s of bare SQL: ratio ${report.ratio}; ` +
        `row by row ${report.row_loop_s} s; ${report.node_rss_mb} MB`,
    )
  },
  async access({ flags, progress, print }, place) {
    const rows = whole(flags.rows, 1_000_000, 'rows')
    const rounds = whole(flags.rounds, 15, 'rounds')
    const report = await benchAccess({ ...place, rows, rounds, progress })
    print(
      report,
      () =>
        `lists cost ${report.list_ratio} of a condition by hand; the newest 50 of a master ` +
        `reseller take ${report.newest50_ms} ms, a context ${report.context_ms} ms, the check ` +
        `of a key ${report.key_check_us} µs; ${report.limiter_per_s} limits decided a second`,
    )
  },
}

/** Benchmarks of the running product, each on a stack of its own. */
const ofStack: Record<string, (input: CommandInput) => Promise<void>> = {
  async onboarding({ env, flags, progress, print }) {
    const applications = whole(flags.applications, 120, 'applications')
    const rounds = whole(flags.rounds, 3, 'rounds')
    const report = await benchOnboarding({ env, progress, applications, rounds })
    print(
      report,
      () =>
        `${report.per_second} partners a second beside ${report.empty_per_second} empty ` +
        `processes of ${report.activities} steps: ratio ${report.ratio}; ` +
        `${report.history_events} events and ${report.actions} actions for each`,
    )
  },
  async settlement({ env, flags, progress, print }) {
    const size = {
      lines: whole(flags.lines, 1_000_000, 'lines'),
      partners: whole(flags.partners, 100_000, 'partners'),
    }
    const rounds = whole(flags.rounds, 3, 'rounds')
    const report = await benchSettlement({ env, progress, ...size, rounds })
    print(
      report,
      () =>
        `${report.close_s} s beside ${report.floor_s} s of bare SQL: ratio ${report.ratio}; ` +
        `${report.history_events} events, ${report.actions} actions, ${report.node_rss_mb} MB`,
    )
  },
}

const names = [...Object.keys(ofDatabase), ...Object.keys(ofStack)]

function whole(value: unknown, fallback: number, flag: string): number {
  if (value === undefined) return fallback
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number < 1) {
    throw new CommandError(`--${flag} is a whole number above 0, not ${String(value)}`, 2)
  }
  return number
}

async function server({ env, progress, flags }: CommandInput) {
  if (env.databaseUrl) {
    requireLoopback(env.databaseUrl, { yes: flags.yes === true, purpose: 'make databases' })
    return { url: env.databaseUrl, stop: async () => {} }
  }
  const port = await freePort()
  const started = await startPostgres({
    ...{ env, progress, port, purpose: 'throwaway' as const },
    settings: { shared_buffers: '1GB', max_wal_size: '8GB' },
  })
  return { url: started.url, stop: () => started.remove() }
}

async function run(input: CommandInput): Promise<number> {
  const { args } = input
  const name = args[0] ?? ''
  const onStack = ofStack[name]
  const bench = ofDatabase[name]
  if (!onStack && !bench) throw new CommandError(`name a benchmark: ${names.join(', ')}`, 2)
  const { url, stop } = await server(input)
  try {
    // A stack makes a database of its own on the same server: one that has memory to work with.
    await onStack?.({ ...input, env: { ...input.env, databaseUrl: url } })
    await bench?.(input, { serverUrl: url, name: `tributary_bench_${process.pid}` })
    return 0
  } finally {
    await stop()
  }
}

await runCommand({
  name: 'bench',
  usage: `npm run bench -- NAME [--json]: ${names.join(', ')} (docs/benchmarks.md)`,
  flags: {
    applications: { type: 'string', describe: 'partners of a round; 120' },
    lines: { type: 'string', describe: 'paid lines; 1000000' },
    partners: { type: 'string', describe: '100000' },
    rows: { type: 'string', describe: 'customers; 1000000' },
    rounds: { type: 'string', describe: '3; 15 for access' },
    yes: { type: 'boolean', describe: 'also on a database server that is not this machine' },
  },
  run,
})

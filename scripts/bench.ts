/** `npm run bench -- NAME`: what the product costs beside the least that its work can cost. */
import { benchAccruals } from '../bench/accruals.ts'
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { requireLoopback } from './launch/databases.ts'
import { freePort } from './launch/ports.ts'
import { startPostgres } from './launch/postgres.ts'

const names = ['accruals']

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
  const { args, flags, progress, print } = input
  const [name] = args
  if (!name || !names.includes(name)) {
    throw new CommandError(`name a benchmark: ${names.join(', ')}`, 2)
  }
  const size = {
    lines: whole(flags.lines, 1_000_000, 'lines'),
    partners: whole(flags.partners, 100_000, 'partners'),
  }
  const rounds = whole(flags.rounds, 3, 'rounds')
  const { url, stop } = await server(input)
  try {
    const report = await benchAccruals({
      ...size,
      rounds,
      serverUrl: url,
      name: `tributary_bench_${process.pid}`,
      progress,
    })
    print(
      report,
      () =>
        `${report.ours_s} s beside ${report.floor_s} s of bare SQL: ratio ${report.ratio}; ` +
        `row by row ${report.row_loop_s} s; ${report.node_rss_mb} MB`,
    )
    return 0
  } finally {
    await stop()
  }
}

await runCommand({
  name: 'bench',
  usage: `npm run bench -- NAME [--json]: ${names.join(', ')} (docs/benchmarks.md)`,
  flags: {
    lines: { type: 'string', describe: 'paid lines; 1000000' },
    partners: { type: 'string', describe: '100000' },
    rounds: { type: 'string', describe: '3' },
    yes: { type: 'boolean', describe: 'also on a database server that is not this machine' },
  },
  run,
})

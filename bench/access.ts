/** `bench access`: what it costs that the database itself decides who sees what. */
import { randomBytes } from 'node:crypto'
import {
  type ProcessLogin,
  processLogin,
  removeLogin,
  storeContextKey,
  storeLogin,
  urlFor,
} from '../db/context-keys.ts'
import { type Db, openDatabase, serverVersion } from '../db/database.ts'
import { migrate } from '../db/migrations.ts'
import { processRoles } from '../db/roles.ts'
import { temporaryVault } from '../db/sealed-fields.ts'
import { openTenancy } from '../db/tenancy.ts'
import { createDatabase, databaseUrl, dropDatabase } from '../scripts/launch/databases.ts'
import type { Progress } from '../scripts/launch/progress.ts'
import { clients, type DoorFigures, makeKey, playDoor } from './access-door.ts'
import { type ListRound, pageRows, playLists, proven, type Sides } from './access-lists.ts'
import { makeAccessWorld, type ViewerName, type Viewers, viewerNames } from './access-world.ts'
import { machine, median, rounded, spread } from './rounds.ts'

export interface AccessBench {
  /** Customers. */
  rows: number
  rounds: number
  /** A server on which databases may be made. */
  serverUrl: string
  /** The name of ours. */
  name: string
  progress: Progress
}

export async function benchAccess(options: AccessBench) {
  const { serverUrl, name } = options
  const secret = randomBytes(32).toString('hex')
  const login = processLogin(secret)
  await createDatabase(serverUrl, name)
  const url = databaseUrl(serverUrl, name)
  const vault = temporaryVault()
  const pool = { poolSize: clients, applicationName: 'tributary-bench', vault, onError: () => {} }
  const { db: owner, close } = openDatabase({ ...pool, url })
  const role = processRoles.api
  const tenancy = openTenancy({ ...pool, url: urlFor(url, login), role, contextSecret: secret })
  try {
    const world = await makeWorld(owner, { ...options, secret, login })
    return await play({ ...options, ...world, owner, tenancy })
  } finally {
    await tenancy.close()
    await close()
    await dropDatabase(serverUrl, name)
    const server = openDatabase({ ...pool, url: serverUrl })
    await removeLogin(server.db, login).finally(() => server.close())
  }
}

async function makeWorld(
  owner: Db,
  { rows, progress, secret, login }: AccessBench & { secret: string; login: ProcessLogin },
) {
  const step = progress.step('world', `${rows} customers, four levels`)
  await migrate(owner)
  const viewers = await makeAccessWorld(owner, rows)
  await storeContextKey(owner, secret)
  await storeLogin(owner, login)
  step.done()
  return { viewers, key: await makeKey(owner, viewers.reseller.context.partnerId) }
}

async function play(world: AccessBench & Sides & { viewers: Viewers; key: string }) {
  const { rounds, progress, viewers, owner, rows } = world
  const proof = progress.step('proof', 'both sides see the same rows, by an index')
  const seen = await proven(world, viewers)
  proof.done(Object.values(seen).join(', '))
  const lists = progress.step('lists', `${rounds} rounds`)
  const found: ListRound[] = []
  for (let round = 0; round < rounds; round += 1) {
    found.push(await playLists(world, { viewers, round }))
    lists.update('played', (round + 1) / rounds)
  }
  lists.done()
  const step = progress.step('door', 'limits and keys')
  const door = await playDoor(world)
  step.done()
  return report({ found, door, seen, rows, version: await serverVersion(owner) })
}

interface Findings {
  found: ListRound[]
  door: DoorFigures
  seen: Record<ViewerName, number>
  rows: number
  version: string
}

function report({ found, door, seen, rows, version }: Findings) {
  const ratios = (pick: (round: ListRound) => { ours: number; floor: number }) =>
    found.map(pick).map(({ ours, floor }) => ours / floor)
  const byLevel = viewerNames.map((name) => {
    const figures = {
      rows: seen[name],
      ratio: spread(ratios((round) => round.lists[name].p95)),
      control_ratio: spread(
        found.map(({ lists }) => lists[name].p95).map(({ control, floor }) => control / floor),
      ),
      median_ratio: spread(ratios((round) => round.lists[name].median)),
      floor_ms: spread(found.map(({ lists }) => lists[name].p95.floor)),
      ours_ms: spread(found.map(({ lists }) => lists[name].p95.ours)),
    }
    return [name, figures] as const
  })
  const levels = Object.fromEntries(byLevel) as Record<ViewerName, (typeof byLevel)[number][1]>
  const newest50 = found.map((round) => round.newest.p95.ours)
  const context = found.map(({ single }) => single.median.ours - single.median.floor)
  return {
    bench: 'access',
    list_ratio: levels.master.ratio.median,
    newest50_ms: rounded(median(newest50)),
    context_ms: rounded(median(context)),
    limiter_per_s: Math.round(median(door.hotPerSecond)),
    key_check_us: rounded(median(door.keyCheckUs)),
    rows,
    page: pageRows - 1,
    rounds: found.length,
    by_level: levels,
    whole_transaction: {
      newest50_ms: spread(newest50),
      newest50_ratio: spread(ratios(({ newest }) => newest.median)),
      context_ms: spread(context),
      count_ratio: spread(ratios(({ count }) => count.median)),
    },
    door: {
      clients,
      hot_per_s: spread(door.hotPerSecond),
      spread_per_s: spread(door.spreadPerSecond),
      key_check_us: spread(door.keyCheckUs),
      refused_key_us: spread(door.refusedKeyUs),
    },
    machine: machine(version),
  }
}

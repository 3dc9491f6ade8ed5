import { createHash } from 'node:crypto'
import Router from '@koa/router'
import type { Context } from 'koa'
import type { Deps } from '../deps.ts'
import type { Fault, FaultKind } from '../fault-kinds.ts'
import { newId } from '../ids.ts'
import type { EntityType, ListedParty } from './wire.ts'

export function listParty(
  deps: Deps,
  party: { name: string; type: EntityType; list: string | undefined; program: string | undefined },
): ListedParty {
  const { name, type, list = 'us_ofac', program } = party
  return deps.store.write('control: list a party', (tx) =>
    tx.put('listed_parties', {
      id: newId('entry', 8),
      ...{ name, list, entity_type: type, programs: program ? [program] : [] },
    }),
  )
}

/** A screening service by the wire format of Watchman v0.66: no keys, GET only. */
export function watchmanRouter(deps: Deps): Router {
  const router = new Router({ prefix: '/watchman' })
  router.get('/v2/listinfo', (ctx) => serve(deps, ctx, () => listInfo(deps)))
  router.get('/v2/search', (ctx) => serve(deps, ctx, () => search(deps, ctx)))
  return router
}

async function serve(deps: Deps, ctx: Context, act: () => object): Promise<void> {
  const slow = strike(deps, ctx, 'slow_request')
  if (slow) await new Promise((resolve) => setTimeout(resolve, slow.ms ?? 1000))
  if (strike(deps, ctx, 'timeout_after_commit')) {
    ctx.respond = false
    ctx.req.socket.destroy()
    return
  }
  const busy = strike(deps, ctx, 'error_429')
  if (busy || strike(deps, ctx, 'error_500')) {
    ctx.status = busy ? 429 : 500
    if (busy) ctx.set('Retry-After', '1')
    ctx.body = { error: busy ? 'too many requests' : 'the sandbox was told to fail' }
    return
  }
  ctx.body = act()
}

function strike(deps: Deps, ctx: Context, kind: FaultKind): Fault | null {
  const query = { vendor: 'watchman', kind, path: ctx.path } as const
  return deps.store.write('fault', (tx) => deps.faults.take(tx, query))
}

function listInfo({ store, clock }: Deps): object {
  const parties = store.all('listed_parties')
  const lists = [...new Set(parties.map(({ list }) => list))].sort()
  const of = (list: string) => parties.filter((party) => party.list === list)
  const at = clock.now().toISOString()
  return {
    lists: Object.fromEntries(lists.map((list) => [list, of(list).length])),
    listHashes: Object.fromEntries(
      lists.map((list) => [
        list,
        createHash('sha256')
          .update(JSON.stringify(of(list)))
          .digest('hex'),
      ]),
    ),
    startedAt: at,
    endedAt: at,
    version: 'v0.66.0',
  }
}

/** Softer than the real one: the share of words that both names have. */
function search({ store }: Deps, { query }: Context): object {
  const text = (name: string) => String(query[name] ?? '')
  const limit = Math.min(Number(text('limit')) || 10, 100)
  const entities = store
    .all('listed_parties')
    .filter((party) => party.entity_type === text('type').toLowerCase())
    .map((party) => ({ ...entityOf(party), match: likeness(party.name, text('name')) }))
    .filter(({ match }) => match > 0 && match >= (Number(text('minMatch')) || 0))
    .sort((a, b) => b.match - a.match)
    .slice(0, limit)
  return {
    query: { name: text('name'), entityType: text('type'), sourceList: 'api-request' },
    // An empty slice of Go is null.
    entities: entities.length > 0 ? entities : null,
  }
}

function entityOf({ id, name, entity_type, list, programs }: ListedParty): object {
  const own = { name, altNames: null, governmentIDs: null }
  return {
    name,
    entityType: entity_type,
    sourceList: list,
    sourceID: id,
    ...{ person: null, business: null, organization: null, aircraft: null, vessel: null },
    [entity_type]: own,
    contact: { emailAddresses: null, phoneNumbers: null, faxNumbers: null, websites: null },
    ...{ addresses: null, cryptoAddresses: null, affiliations: null, historicalInfo: null },
    sanctionsInfo: programs.length > 0 ? { programs, secondary: false, description: '' } : null,
    sourceData: {},
  }
}

function likeness(one: string, other: string): number {
  const words = (name: string): string[] => name.toLowerCase().split(/[^\p{Letter}\p{Number}]+/u)
  const [a, b] = [words(one), words(other)]
  const shared = a.filter((word) => b.includes(word)).length
  return Math.min((2 * shared) / (a.length + b.length), 1)
}

/** Screening by a service that speaks the API of Watchman (`/v2/search`, `/v2/listinfo`). */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Hit } from '../../domain/screening.ts'
import { VendorError } from '../vendor-error.ts'
import type { Screening, ScreeningQuery } from './provider.ts'

const timeoutMs = 15_000
/** The most that the service gives. */
const limit = 100

/** Empty lists come as null. */
const orEmpty = <T extends z.ZodType>(items: T) =>
  z
    .array(items)
    .nullish()
    .transform((list) => list ?? [])

const searchAnswer = z.object({
  entities: orEmpty(
    z.object({
      name: z.string().min(1),
      sourceList: z.string().min(1),
      sourceID: z.string().min(1),
      match: z.number().min(0),
      sanctionsInfo: z.object({ programs: orEmpty(z.string()) }).nullish(),
    }),
  ),
})

const listAnswer = z.object({
  lists: z.record(z.string(), z.number()),
  listHashes: z
    .record(z.string(), z.string())
    .nullish()
    .transform((hashes) => hashes ?? {}),
  endedAt: z.string().default(''),
  version: z.string().default(''),
})

function broken(code: string, message: string, retryAfterSeconds?: number): VendorError {
  const failure = code === 'too_many_requests' ? 'throttled' : 'unknown'
  return new VendorError({ vendor: 'screening', failure, code, message, retryAfterSeconds })
}

/** What is neither said nor repeated here is the address: names stand in it. */
async function ask(url: URL): Promise<unknown> {
  let answer: Response
  try {
    answer = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' })
  } catch {
    throw broken('no_answer', 'the screening service did not answer')
  }
  const { status } = answer
  if (status === 429) {
    const after = Number(answer.headers.get('retry-after') ?? Number.NaN)
    const seconds = Number.isFinite(after) ? after : undefined
    throw broken('too_many_requests', 'answered 429', seconds)
  }
  // A refusal is a wrong setting more often than a wrong name: until it is mended, names wait.
  if (status !== 200) throw broken(`status_${status}`, `answered ${status}`)
  try {
    return await answer.json()
  } catch {
    throw broken('not_readable', 'answered something that is no JSON')
  }
}

function parsed<T>(schema: z.ZodType<T>, answer: unknown): T {
  const { success, data } = schema.safeParse(answer)
  if (!success) throw broken('not_readable', 'answered in an unknown form')
  return data
}

/** Companies stand on lists as businesses and as organisations. */
const entityTypes = { company: ['business', 'organization'], person: ['person'] } as const

export function watchmanScreening(base: string): Screening {
  const at = (path: string) => new URL(path, base.endsWith('/') ? base : `${base}/`)

  /** @throws VendorError also while no list is loaded, because then nobody would be found. */
  async function lists() {
    const info = parsed(listAnswer, await ask(at('v2/listinfo')))
    const names = Object.keys(info.lists).sort()
    if (!Object.values(info.lists).some((entries) => entries > 0)) {
      throw broken('no_lists', 'the screening service has loaded no list yet')
    }
    const stated = names.map((name) => [name, info.listHashes[name] ?? null, info.lists[name]])
    // A list without a hash is taken for new each time that it is fetched.
    const fetched = names.every((name) => info.listHashes[name]) ? '' : info.endedAt
    const text = JSON.stringify([info.version, stated, fetched])
    return { list: names.join(','), version: createHash('sha256').update(text).digest('hex') }
  }

  async function search(query: ScreeningQuery, type: string): Promise<Hit[]> {
    const url = at('v2/search')
    url.searchParams.set('name', query.name)
    url.searchParams.set('type', type)
    url.searchParams.set('minMatch', ((query.threshold - 0.5) / 100).toFixed(3))
    url.searchParams.set('limit', String(limit))
    const { entities } = parsed(searchAnswer, await ask(url))
    return entities.map((entity) => ({
      list: entity.sourceList,
      entryId: entity.sourceID,
      entryName: entity.name,
      programs: entity.sanctionsInfo?.programs ?? [],
      score: Math.min(Math.round(entity.match * 100), 100),
    }))
  }

  return {
    provider: 'watchman',
    async screen(query) {
      const before = await lists()
      const found = await Promise.all(entityTypes[query.kind].map((type) => search(query, type)))
      const after = await lists()
      if (before.version !== after.version) {
        throw broken('lists_changed', 'the lists were changed during the look-up')
      }
      const hits = new Map<string, Hit>()
      for (const hit of found.flat()) {
        const key = JSON.stringify([hit.list, hit.entryId, hit.entryName])
        const score = Math.max(hit.score, hits.get(key)?.score ?? 0)
        if (hit.score >= query.threshold) hits.set(key, { ...hit, score })
      }
      return {
        provider: 'watchman',
        list: after.list,
        listVersion: after.version,
        hits: [...hits.values()].sort((a, b) => b.score - a.score),
      }
    },
    async listVersion() {
      return (await lists()).version
    },
  }
}

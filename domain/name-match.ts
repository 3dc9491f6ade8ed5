/**
 * How alike two names are, from 0 to 100. What people write in many ways is made the same first:
 * case, accents, punctuation, legal forms and titles go, Cyrillic and Greek letters become Latin
 * ones. Then every word is compared with its best counterpart by Jaro-Winkler, and the words count
 * by their length. Neither the order of the words nor that of the two names makes a difference.
 */

export type NamedKind = 'company' | 'person'

const listed = (words: string) => new Set(words.split(' '))

const legalForms = listed(
  'ab ag ao aps as asa bhd bv co company corp corporation dmcc doo eood fze gmbh inc jsc kft ' +
    'incorporated kg limited llc llp lp ltd ltda nv oao ohg ooo oy oyj pao pjsc plc pte pty pvt ' +
    'sa sae sal saoc sarl sas sdn se sl spa srl sro the ug zao zrt',
)
const titles = listed('mr mrs ms miss dr prof sir dame hon')

const letters: Record<string, string> = {
  ...{ ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', đ: 'd', ð: 'd', þ: 'th', ł: 'l', ı: 'i', ħ: 'h' },
  ...{ а: 'a', б: 'b', в: 'v', г: 'g', ґ: 'g', д: 'd', е: 'e', є: 'ie', ж: 'zh', з: 'z', и: 'i' },
  ...{ і: 'i', й: 'i', к: 'k', л: 'l', м: 'm', н: 'n', о: 'o', п: 'p', р: 'r', с: 's', т: 't' },
  ...{ у: 'u', ф: 'f', х: 'kh', ц: 'ts', ч: 'ch', ш: 'sh', щ: 'shch', ъ: '', ы: 'y', ь: '' },
  ...{ э: 'e', ю: 'iu', я: 'ia', ј: 'j', љ: 'lj', њ: 'nj', ћ: 'c', ђ: 'd', џ: 'dz' },
  ...{ α: 'a', β: 'v', γ: 'g', δ: 'd', ε: 'e', ζ: 'z', η: 'i', θ: 'th', ι: 'i', κ: 'k', λ: 'l' },
  ...{ μ: 'm', ν: 'n', ξ: 'x', ο: 'o', π: 'p', ρ: 'r', σ: 's', ς: 's', τ: 't', υ: 'y', φ: 'f' },
  ...{ χ: 'ch', ψ: 'ps', ω: 'o' },
}

/** The words by which a name is compared, sorted; a name of nothing but forms keeps them. */
export function wordsOfName(name: string, kind: NamedKind): string[] {
  const words = name
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .toLowerCase()
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .replace(/\p{Letter}/gu, (letter) => letters[letter] ?? letter)
    .replace(/['’`]/g, '')
    // "S.A." is one word.
    .replace(/(?<![\p{Letter}\p{Number}])(\p{Letter})\.(?!\p{Letter}{2})/gu, '$1')
    .split(/[^\p{Letter}\p{Number}]+/u)
    .filter((word) => word !== '')
  const passing = kind === 'company' ? legalForms : titles
  const own = words.filter((word) => !passing.has(word))
  return (own.length > 0 ? own : words).sort()
}

/** Below this, two words have nothing in common. */
const wordFloor = 0.7

/** From 0 to 1, the same in both directions: what is alike at the beginning counts more. */
export function wordSimilarity(one: string, other: string): number {
  if (one === other) return 1
  const ordered = one.length < other.length || (one.length === other.length && one < other)
  const [short, long] = ordered ? [one, other] : [other, one]
  const jaro = jaroOf(short, long)
  let prefix = 0
  while (prefix < 4 && prefix < short.length && short[prefix] === long[prefix]) prefix++
  const similarity = jaro + prefix * 0.1 * (1 - jaro)
  return similarity < wordFloor ? 0 : similarity
}

function jaroOf(short: string, long: string): number {
  const reach = Math.max(Math.floor(long.length / 2) - 1, 0)
  const taken = new Array<boolean>(long.length).fill(false)
  const matched: string[] = []
  for (let i = 0; i < short.length; i++) {
    const end = Math.min(i + reach, long.length - 1)
    for (let j = Math.max(i - reach, 0); j <= end; j++) {
      if (taken[j] || short[i] !== long[j]) continue
      taken[j] = true
      matched.push(long[j] as string)
      break
    }
  }
  const count = matched.length
  if (count === 0) return 0
  let moved = 0
  let next = 0
  for (let j = 0; j < long.length; j++) if (taken[j] && long[j] !== matched[next++]) moved++
  return (count / short.length + count / long.length + (count - moved / 2) / count) / 3
}

/** How alike two lists of words are, 0 to 100, with the likeness of words as it is given. */
function scoreOf(
  one: readonly string[],
  other: readonly string[],
  alike: (one: number, other: number) => number,
): number {
  const bestOfOther = new Array<number>(other.length).fill(0)
  let sum = 0
  let length = 0
  for (let i = 0; i < one.length; i++) {
    let best = 0
    for (let j = 0; j < other.length; j++) {
      const similarity = alike(i, j)
      if (similarity > best) best = similarity
      if (similarity > (bestOfOther[j] ?? 0)) bestOfOther[j] = similarity
    }
    sum += best * (one[i] as string).length
    length += (one[i] as string).length
  }
  for (let j = 0; j < other.length; j++) {
    sum += (bestOfOther[j] ?? 0) * (other[j] as string).length
    length += (other[j] as string).length
  }
  return length === 0 ? 0 : Math.floor((100 * sum) / length + 1e-9)
}

/** How alike two names are; 100 is the same name, written in whatever way. */
export function nameSimilarity(one: string, other: string, kind: NamedKind): number {
  const a = wordsOfName(one, kind)
  const b = wordsOfName(other, kind)
  return scoreOf(a, b, (i, j) => wordSimilarity(a[i] as string, b[j] as string))
}

export interface NameIndex<T> {
  /** The entries that have a name at or above the threshold, each with its best score. */
  find(name: string, threshold: number): { entry: T; score: number }[]
}

/**
 * Names prepared for many look-ups: every word of a name that is looked for is compared once with
 * every different word of the list, not with every name.
 */
export function indexNames<T>(
  entries: readonly { entry: T; names: readonly string[] }[],
  kind: NamedKind,
): NameIndex<T> {
  const numbers = new Map<string, number>()
  const known: { entry: T; words: string[]; places: number[] }[] = []
  for (const { entry, names } of entries) {
    for (const name of names) {
      const words = wordsOfName(name, kind)
      const places = words.map((word) => {
        const number = numbers.get(word) ?? numbers.size
        numbers.set(word, number)
        return number
      })
      known.push({ entry, words, places })
    }
  }
  const vocabulary = [...numbers.keys()]
  return {
    find(name, threshold) {
      const asked = wordsOfName(name, kind)
      const likeness = asked.map((word) =>
        Float64Array.from(vocabulary, (other) => wordSimilarity(word, other)),
      )
      const best = new Map<T, number>()
      for (const { entry, words, places } of known) {
        const score = scoreOf(asked, words, (i, j) => likeness[i]?.[places[j] as number] ?? 0)
        if (score >= threshold && score > (best.get(entry) ?? -1)) best.set(entry, score)
      }
      return [...best].map(([entry, score]) => ({ entry, score })).sort((a, b) => b.score - a.score)
    },
  }
}

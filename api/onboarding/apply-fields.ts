/** The fields of the page on which one applies, and the body that the API takes for them. */
import { currencies } from '../../domain/currencies.ts'
import { contactRoles } from '../../domain/onboarding.ts'
import { isTerritory, territoryModes } from '../../domain/territories.ts'
import { written } from '../forms.ts'
import type { PageField } from '../page-fields.ts'

/** What `GET /v1/application-form` answers, as far as the page asks it. */
export interface AskedForm {
  programme: string
  currency: string
  types: readonly string[]
  levels: readonly string[]
  custom_fields: {
    name: string
    label: string
    kind: 'text' | 'number' | 'yes_no' | 'choice'
    required: boolean
    options?: string[] | undefined
  }[]
  invitation: {
    inviter: string | null
    contact: { name: string; email: string }
    level: string
    type: string | null
    message: string | null
  } | null
}

export interface Section {
  legend: string
  note?: string
  fields: PageField[]
}

/** So many people can be named on the page; programs name up to twenty. */
const peopleRows = 4

/** `value_added_reseller` as `Value added reseller`. */
export const inWords = (name: string) =>
  `${name.charAt(0).toUpperCase()}${name.slice(1)}`.replaceAll('_', ' ')

const choices = (names: readonly string[], label = inWords) =>
  names.map((value) => ({ value, label: label(value) }))

const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ']
const countryNames = new Intl.DisplayNames('en', { type: 'region' })
const isCurrent = (code: string) => Intl.getCanonicalLocales(`und-${code}`)[0] === `und-${code}`

const countries = letters
  .flatMap((first) => letters.map((second) => first + second))
  .filter((code) => isTerritory(code) && isCurrent(code))
  .map((value) => ({ value, label: countryNames.of(value) ?? value }))
  .sort((one, other) => one.label.localeCompare(other.label, 'en'))

const company: Section = {
  legend: 'Your company',
  fields: [
    {
      ...{ name: 'company.name', pointer: '/company/name', label: 'Name', kind: 'text' },
      autocomplete: 'organization',
    },
    {
      ...{ name: 'company.legal_name', pointer: '/company/legal_name', label: 'Legal name' },
      ...{ kind: 'text', optional: true, hint: 'If it differs, as it stands in the register.' },
    },
    {
      ...{ name: 'company.country', pointer: '/company/country', label: 'Country' },
      ...{ kind: 'choice', options: countries, autocomplete: 'country' },
    },
    {
      ...{ name: 'company.website', pointer: '/company/website', label: 'Website', kind: 'text' },
      ...{ hint: 'Like www.company.com', inputMode: 'url', autocomplete: 'url' },
      advice: 'Write an address like https://www.company.com.',
    },
    {
      ...{ name: 'company.registration_number', pointer: '/company/registration_number' },
      ...{ label: 'Registration number', kind: 'text', optional: true },
      ...{ hint: 'The number of the company in its register.', advice: 'Write letters or digits.' },
    },
  ],
}

const emailAdvice = 'Write an address like ana@company.com.'

const contact: Section = {
  legend: 'You',
  fields: [
    {
      ...{ name: 'contact.name', pointer: '/contact/name', label: 'Your name', kind: 'text' },
      autocomplete: 'name',
    },
    {
      ...{ name: 'contact.email', pointer: '/contact/email', label: 'Your e-mail address' },
      ...{ kind: 'email', autocomplete: 'email', advice: emailAdvice },
      hint: 'Everything about your application is sent there.',
    },
  ],
}

function personFields(row: number): PageField[] {
  const [name, pointer] = [`contacts.${row}`, `/contacts/${row}`]
  const who = `Person ${row + 1}`
  const common = { optional: true, unmarked: true }
  return [
    {
      ...{ name: `${name}.name`, pointer: `${pointer}/name`, kind: 'text', ...common },
      label: `${who}: name`,
    },
    {
      ...{ name: `${name}.email`, pointer: `${pointer}/email`, kind: 'email', ...common },
      ...{ label: `${who}: e-mail address`, advice: emailAdvice },
    },
    {
      ...{ name: `${name}.role`, pointer: `${pointer}/role`, kind: 'choice', ...common },
      ...{ label: `${who}: role`, options: choices(contactRoles) },
    },
  ]
}

/** Behind a line that can be opened: most companies have one person who applies. */
export const people: Section = {
  legend: 'More people',
  note: 'Owners, and those who sign, pay or set things up, where that is not you.',
  fields: Array.from({ length: peopleRows }, (_, row) => personFields(row)).flat(),
}

const parent: PageField = {
  ...{ name: 'parent', pointer: '/parent', label: 'Partner above you', kind: 'text' },
  hint: 'Its partner number, if you apply as a reseller below a partner. It begins with prt_.',
  ...{ optional: true, advice: 'Write its number, which begins with prt_, or leave it out.' },
}

function partnership({ types, levels, currency, invitation }: AskedForm): Section {
  const volume = `Expected sales in a month, in ${currency}`
  return {
    legend: 'Your partnership',
    fields: [
      {
        ...{ name: 'type', pointer: '/type', label: 'What you are', kind: 'choice' },
        options: choices(types),
      },
      {
        ...{ name: 'level', pointer: '/level', label: 'Level', kind: 'choice' },
        hint: 'A master reseller has resellers of its own; a reseller sells to customers.',
        options: choices(levels),
      },
      ...(invitation?.inviter ? [] : [parent]),
      {
        ...{ name: 'territories', pointer: '/territories', label: 'Where you want to sell' },
        hint: 'Codes with commas between them: US for a country, US-CA for a part of one.',
        ...{ kind: 'text', optional: true, advice: 'Write codes like US, US-CA or US-CA-94.' },
      },
      {
        ...{ name: 'territory_mode', pointer: '/territory_mode', label: 'How you sell there' },
        ...{ kind: 'choice', optional: true },
        options: choices(territoryModes, (mode) =>
          mode === 'exclusive' ? 'Alone (exclusive)' : 'Beside others (shared)',
        ),
      },
      {
        ...{ name: 'expected_volume.amount', pointer: '/expected_volume', label: volume },
        ...{ kind: 'text', optional: true, inputMode: 'decimal' },
        ...{ hint: 'Like 25000', advice: 'Write an amount like 25000 or 25,000.50.' },
      },
    ],
  }
}

type Question = AskedForm['custom_fields'][number]

const yesOrNo = [
  { value: 'true', label: 'Yes' },
  { value: 'false', label: 'No' },
]

/** Its kind stands in its name, so that what is sent tells how it is to be read. */
function questionField({ name, label, kind, required, options = [] }: Question): PageField {
  const field = { name: `custom.${kind}.${name}`, pointer: `/custom/${name}`, label }
  const common = { ...field, optional: !required }
  if (kind === 'yes_no') return { ...common, kind: 'choice', options: yesOrNo }
  if (kind === 'choice') return { ...common, kind, options: choices(options, (value) => value) }
  return kind === 'number'
    ? { ...common, kind: 'text', inputMode: 'decimal', advice: 'Write a number like 12 or 0.5.' }
    : { ...common, kind: 'text' }
}

const lastWords: Section = {
  legend: 'Anything else',
  fields: [
    {
      ...{ name: 'message', pointer: '/message', label: 'Message', kind: 'area', most: 4_000 },
      optional: true,
    },
  ],
}

/** What the page asks, in its order. */
export function sectionsOf(form: AskedForm): Section[] {
  const questions = form.custom_fields.map(questionField)
  return [
    company,
    contact,
    people,
    partnership(form),
    ...(questions.length > 0
      ? [{ legend: `Questions of ${form.programme}`, fields: questions }]
      : []),
    lastWords,
  ]
}

/** Rows of people without those that are empty, as refusals count them. */
function peopleIn(fields: URLSearchParams) {
  return Array.from({ length: peopleRows }, (_, row) => ({
    name: written(fields, `contacts.${row}.name`),
    email: written(fields, `contacts.${row}.email`),
    role: written(fields, `contacts.${row}.role`),
  })).filter(({ name, email, role }) => name ?? email ?? role)
}

/** What was written, by the names of the fields, so that it stands there again. */
export function valuesOf(fields: URLSearchParams): Map<string, string> {
  const values = new Map([...fields].filter(([name]) => !name.startsWith('contacts.')))
  for (const [row, person] of peopleIn(fields).entries()) {
    for (const [name, value] of Object.entries(person)) {
      if (value) values.set(`contacts.${row}.${name}`, value)
    }
  }
  return values
}

/** Minor units of what a person writes: `25,000.50`; what is no amount stays as it is. */
function minorOf(amount: string, currency: string): number | string {
  const exponent = currencies.find(({ code }) => code === currency)?.exponent
  const match = /^(\d+|\d{1,3}(?:,\d{3})+)(?:\.(\d+))?$/.exec(amount)
  const [, whole = '', fraction = ''] = match ?? []
  if (!match || exponent === undefined || fraction.length > exponent) return amount
  return Number(whole.replaceAll(',', '') + fraction.padEnd(exponent, '0'))
}

function answersIn(fields: URLSearchParams): Record<string, string | number | boolean> {
  const answers = [...fields.keys()].flatMap((field) => {
    const [, kind, name] = /^custom\.(text|number|yes_no|choice)\.(.+)$/.exec(field) ?? []
    const value = written(fields, field)
    if (!kind || !name || value === undefined) return []
    return [[name, kind === 'text' || kind === 'choice' ? value : plainValue(value)] as const]
  })
  return Object.fromEntries(answers)
}

function plainValue(value: string): string | number | boolean {
  if (value === 'true' || value === 'false') return value === 'true'
  return /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value
}

/** A website is often written without what it begins with. */
const address = (website: string | undefined) =>
  website === undefined || website.includes('://') ? website : `https://${website}`

/** The body that a program would send; what is left empty is not in it. */
export function applicationBody(fields: URLSearchParams): unknown {
  const value = (name: string) => written(fields, name)
  const [amount, persons] = [value('expected_volume.amount'), peopleIn(fields)]
  const currency = value('expected_volume.currency') ?? ''
  const areas = value('territories')
    ?.toUpperCase()
    .split(/[\s,;]+/)
  const answers = answersIn(fields)
  const reapplies = value('reapplies.application')
  const known = (entries: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(entries).filter(([, entry]) => entry !== undefined))
  return known({
    company: known({
      name: value('company.name'),
      legal_name: value('company.legal_name'),
      country: value('company.country'),
      website: address(value('company.website')),
      registration_number: value('company.registration_number'),
    }),
    contact: known({ name: value('contact.name'), email: value('contact.email') }),
    contacts: persons.length > 0 ? persons.map(known) : undefined,
    type: value('type'),
    level: value('level'),
    parent: value('parent'),
    territories: areas?.filter((area) => area !== ''),
    territory_mode: value('territory_mode'),
    expected_volume:
      amount === undefined ? undefined : { amount: minorOf(amount, currency), currency },
    custom: Object.keys(answers).length > 0 ? answers : undefined,
    message: value('message'),
    invitation: value('invitation'),
    reapplies:
      reapplies === undefined
        ? undefined
        : { application: reapplies, token: value('reapplies.token') ?? '' },
  })
}

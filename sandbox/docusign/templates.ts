import { randomUUID } from 'node:crypto'
import type { Work } from '../deps.ts'
import { textOf } from './create.ts'
import { DocusignProblem, invalidRequest } from './errors.ts'
import type { Template } from './wire.ts'

type Json = Record<string, unknown>

const listOf = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : [])

/** Documents and the roles that sign them; who has a role is said by each envelope. */
export function createTemplate(work: Work, body: Json): Template {
  const documents = listOf(body.documents)
  const signers = listOf((body.recipients as Json | undefined)?.signers)
  if (documents.length === 0) throw invalidRequest('A template needs documents.')
  const roles = signers.map((signer, index) => ({
    roleName: textOf(signer, 'roleName') ?? '',
    recipientId: textOf(signer, 'recipientId') ?? String(index + 1),
    routingOrder: textOf(signer, 'routingOrder') ?? '1',
  }))
  if (roles.length === 0 || roles.some(({ roleName }) => roleName === '')) {
    throw invalidRequest('A template needs recipients.signers, each with a roleName.')
  }
  return work.tx.put('templates', {
    id: randomUUID(),
    name: textOf(body, 'name') ?? 'Template',
    documents,
    roles,
  })
}

/** What an envelope of a template is made of: its documents, and its roles with their people. */
export function fromTemplate(work: Work, definition: Json): Json {
  const { templateId, templateRoles, ...rest } = definition
  if (templateId === undefined) return definition
  const template = work.tx.get('templates', String(templateId))
  if (template === undefined) {
    throw new DocusignProblem('TEMPLATE_ID_INVALID', 'Invalid template ID.')
  }
  const people = listOf(templateRoles)
  const stranger = people.find((one) => !template.roles.some((role) => isOf(one, role.roleName)))
  if (stranger) throw invalidRequest(`The template has no role ${textOf(stranger, 'roleName')}.`)
  const signers = template.roles.map((role) => ({
    ...people.find((one) => isOf(one, role.roleName)),
    ...role,
  }))
  return { ...rest, documents: template.documents, recipients: { signers } }
}

const isOf = (person: Json, roleName: string) => textOf(person, 'roleName') === roleName

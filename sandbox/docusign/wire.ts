/** DocuSign writes booleans, numbers and positions as strings. */
export interface Signer {
  recipientId: string
  recipientIdGuid: string
  recipientType: 'signer'
  userId: string
  name: string
  email: string
  clientUserId?: string
  routingOrder: string
  roleName?: string
  tabs?: { textTabs: TextTab[] }
  note?: string
  status: 'created' | 'sent' | 'delivered' | 'completed' | 'declined'
  deliveryMethod: 'email'
  sentDateTime?: string
  deliveredDateTime?: string
  signedDateTime?: string
  declinedDateTime?: string
  declinedReason?: string
}

/** What a template prefills. */
export interface TextTab {
  tabLabel: string
  value: string
}

export interface Template {
  id: string
  name: string
  documents: Record<string, unknown>[]
  roles: { roleName: string; recipientId: string; routingOrder: string }[]
}

export interface TextCustomField {
  fieldId: string
  name: string
  value: string
  required: string
  show: string
}

export interface EventNotification {
  url: string
  /** Null stands for every event. */
  events: string[] | null
  includeData: string[]
  includeHMAC: boolean
}

export interface EnvelopeDocument {
  id: string
  envelope: string
  documentId: string
  name: string
  order: string
  base64: string
  sha256: string
}

export interface AuditEntry {
  at: string
  action: string
  who: string
  message: string
}

export type EnvelopeStatus = 'created' | 'sent' | 'delivered' | 'completed' | 'declined' | 'voided'

export interface Envelope {
  id: string
  status: EnvelopeStatus
  emailSubject: string
  emailBlurb: string
  transactionId: string | null
  customFields: TextCustomField[]
  signers: Signer[]
  notifications: EventNotification[]
  createdDateTime: string
  lastModifiedDateTime: string
  statusChangedDateTime: string
  expireDateTime: string
  sentDateTime: string | null
  deliveredDateTime: string | null
  completedDateTime: string | null
  declinedDateTime: string | null
  voidedDateTime: string | null
  voidedReason: string | null
  audit: AuditEntry[]
}

/** The id is the token in the link's URL. */
export interface SigningLink {
  id: string
  envelope: string
  recipientId: string
  /** Null for a link that was mailed: it works until the envelope is finished. */
  embedded: { returnUrl: string; expires: number } | null
  opened: boolean
  session: string
}

/** One Connect message; `retryCount` is filled in at each attempt. */
export interface ConnectMessage {
  id: string
  event: string
  apiVersion: 'v2.1'
  uri: string
  configurationId: number
  generatedDateTime: string
  data: {
    accountId: string
    userId: string
    envelopeId: string
    recipientId?: string
    envelopeSummary: object
  }
  sign: boolean
}

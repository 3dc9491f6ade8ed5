/** The roles of the database: what a process may be, and what each level may do. */

/** Roles that a process takes when it connects; alone they may do nothing but become a level. */
export const processRoles = { api: 'tributary_api', worker: 'tributary_worker' } as const
export type ProcessRole = (typeof processRoles)[keyof typeof processRoles]

/** The role of a transaction, by the level of its context. */
export const levelRoles = {
  super_admin: 'tributary_super_admin',
  master_reseller: 'tributary_master_reseller',
  reseller: 'tributary_reseller',
  /** A reseller that stands, or stood, below another reseller. */
  subreseller: 'tributary_subreseller',
  customer: 'tributary_customer',
  intake: 'tributary_intake',
  sign_in: 'tributary_sign_in',
  simulation: 'tributary_simulation',
  worker: 'tributary_work',
} as const

/** Who may become what. */
export const becomes: Record<keyof typeof processRoles, (keyof typeof levelRoles)[]> = {
  api: [
    'super_admin',
    'master_reseller',
    'reseller',
    'subreseller',
    'customer',
    'intake',
    'sign_in',
    'simulation',
  ],
  worker: ['worker'],
}

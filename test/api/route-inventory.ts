/** Every route there is, with who may call it; a new one has to be added here and be tested. */
export const inventory = `
GET /apply: anyone
POST /v1/applications: anyone
GET /v1/application-form: anyone
POST /v1/application-invitations: super_admin master_reseller, applications:write
GET /v1/application-invitations: super_admin master_reseller, applications:read
GET /v1/application-invitations/{id}: super_admin master_reseller, applications:read
POST /v1/application-invitations/{id}/resend: super_admin master_reseller, applications:write
POST /v1/application-invitations/{id}/revoke: super_admin master_reseller, applications:write
GET /v1/applications: super_admin master_reseller, applications:read
GET /v1/applications/{id}: anyone with a link
GET /v1/applications/{id}/agreement: anyone with a link
GET /v1/applications/{id}/agreement/signing: anyone
GET /v1/applications/{id}/agreement/document: anyone with a link
GET /v1/applications/{id}/agreement/certificate: super_admin master_reseller, applications:read
POST /v1/applications/{id}/agreement/resend: super_admin master_reseller, approvals:write
GET /v1/applications/{id}/verification: anyone
POST /v1/applications/{id}/decision: super_admin master_reseller, approvals:write
POST /v1/applications/{id}/decision/undo: super_admin master_reseller, approvals:write
POST /v1/applications/{id}/information-requests: super_admin master_reseller, approvals:write
POST /v1/applications/{id}/information-requests/{number}/answer: anyone
POST /v1/applications/{id}/withdrawal: anyone
POST /v1/agreement-terms: super_admin, terms:write
GET /v1/agreement-terms: super_admin, terms:read
GET /v1/agreement-terms/{id}: super_admin, terms:read
GET /v1/agreement-terms/{id}/preview: super_admin, terms:read
POST /v1/agreement-terms/{id}/publish: super_admin, approvals:write
GET /v1/agreements: super_admin master_reseller reseller, agreements:read
GET /v1/agreements/{id}: super_admin master_reseller reseller, agreements:read
GET /v1/agreements/{id}/document: super_admin master_reseller reseller, agreements:read
GET /v1/partners: super_admin master_reseller reseller, partners:read
GET /v1/partners/{id}: super_admin master_reseller reseller, partners:read
POST /v1/partners/{id}/suspend: super_admin master_reseller, approvals:write
POST /v1/partners/{id}/activate: super_admin master_reseller, approvals:write
POST /v1/partners/{id}/moves: super_admin, approvals:write
POST /v1/partners/{id}/termination: super_admin, approvals:write
POST /v1/partners/{id}/reinstatement: super_admin, approvals:write
GET /v1/partners/{id}/moves: super_admin master_reseller reseller, partners:read
GET /v1/partners/{id}/verification: super_admin master_reseller reseller, partners:read
POST /v1/partners/{id}/verification/extension: super_admin, approvals:write
POST /v1/partners/{id}/verification/link: master_reseller reseller, verification:write
GET /v1/territories: super_admin master_reseller reseller, territories:read
GET /v1/territory-assignments/{id}: super_admin master_reseller reseller, territories:read
POST /v1/partners/{id}/territories: super_admin master_reseller, approvals:write
POST /v1/territory-assignments/{id}/release: super_admin master_reseller, approvals:write
GET /v1/territory-conflicts: super_admin master_reseller, conflicts:read
POST /v1/territory-conflicts/{id}/ruling: super_admin master_reseller, approvals:write
GET /v1/tenants: super_admin master_reseller reseller, tenants:read
GET /v1/tenants/{id}: super_admin master_reseller reseller, tenants:read
POST /v1/tenants/{id}/offboarding: super_admin, approvals:write
GET /v1/tenants/{id}/offboarding: super_admin, tenants:read
POST /v1/tenants/{id}/offboarding/confirm: super_admin, approvals:write
POST /v1/tenants/{id}/offboarding/cancel: super_admin, approvals:write
POST /v1/tenants/{id}/offboarding/legal-hold: super_admin, approvals:write
GET /v1/tenants/{id}/export: anyone
POST /v1/tenants/{id}/retry: super_admin, tenants:write
POST /v1/tenants/{id}/abandon: super_admin, tenants:write
POST /v1/tenants/{id}/invitation/resend: super_admin, tenants:write
GET /v1/tenants/by-host: anyone
GET /v1/tenants/by-host/logo: anyone
GET /v1/tenants/by-host/favicon: anyone
GET /v1/tenants/{id}/branding: super_admin master_reseller reseller, tenants:read
PATCH /v1/tenants/{id}/branding: super_admin master_reseller reseller, tenants:write
PUT /v1/tenants/{id}/branding/logo: super_admin master_reseller reseller, tenants:write
PUT /v1/tenants/{id}/branding/favicon: super_admin master_reseller reseller, tenants:write
PUT /v1/tenants/{id}/domain: super_admin master_reseller reseller, tenants:write
GET /v1/tenants/{id}/domain: super_admin master_reseller reseller, tenants:read
DELETE /v1/tenants/{id}/domain: super_admin master_reseller reseller, tenants:write
POST /v1/tenants/{id}/domain/check: super_admin master_reseller reseller, tenants:write
GET /v1/tls/ask: anyone
GET /v1/tenants/{id}/quotas: super_admin master_reseller reseller, tenants:read
PATCH /v1/tenants/{id}/quotas: super_admin, tenants:write
GET /v1/tenants/{id}/packages: super_admin master_reseller reseller, tenants:read
PUT /v1/tenants/{id}/packages: super_admin, tenants:write
GET /v1/write-off-candidates: super_admin, ledger:read
POST /v1/write-offs: super_admin, approvals:write
GET /v1/ledger/trial-balance: super_admin, ledger:read
GET /v1/ledger/export: super_admin, ledger:read
GET /v1/reconciliation: super_admin, reconciliation:read
GET /v1/reconciliation/breaks: super_admin, reconciliation:read
GET /v1/reconciliation/breaks/{id}: super_admin, reconciliation:read
POST /v1/reconciliation/breaks/{id}/assign: super_admin, reconciliation:write
POST /v1/reconciliation/breaks/{id}/resolve: super_admin, reconciliation:write
GET /v1/manual-tasks: super_admin, tasks:read
POST /v1/manual-tasks/{id}/close: super_admin, tasks:write
GET /v1/programme: super_admin master_reseller reseller, programme:read
PATCH /v1/programme: super_admin, programme:write
POST /v1/packages: super_admin, packages:write
GET /v1/packages: super_admin master_reseller reseller customer, packages:read
GET /v1/packages/{id}: super_admin master_reseller reseller customer, packages:read
POST /v1/links: master_reseller reseller, links:write
GET /v1/links: super_admin master_reseller reseller, links:read
GET /v1/links/{id}: super_admin master_reseller reseller, links:read
POST /v1/customers: master_reseller reseller, customers:write
GET /v1/customers: super_admin master_reseller reseller customer, customers:read
GET /v1/customers/{id}: super_admin master_reseller reseller customer, customers:read
POST /v1/subscriptions: master_reseller reseller, subscriptions:write
GET /v1/subscriptions: super_admin master_reseller reseller customer, subscriptions:read
GET /v1/subscriptions/{id}: super_admin master_reseller reseller customer, subscriptions:read
GET /v1/accruals: super_admin master_reseller reseller, accruals:read
GET /v1/accruals/{id}/why: super_admin master_reseller reseller, accruals:read
GET /v1/clawbacks: super_admin master_reseller reseller, accruals:read
GET /v1/partners/{id}/earnings: super_admin master_reseller reseller, accruals:read
POST /v1/settlement-runs: super_admin, settlement:write
GET /v1/settlement-runs: super_admin, settlement:read
GET /v1/settlement-runs/{id}: super_admin, settlement:read
GET /v1/settlement-runs/{id}/diff: super_admin, settlement:read
GET /v1/settlement-runs/{id}/exceptions: super_admin, settlement:read
GET /v1/settlement-runs/{id}/events: super_admin, settlement:read
POST /v1/settlement-runs/{id}/review: super_admin, approvals:write
POST /v1/settlement-runs/{id}/release: super_admin, approvals:write
POST /v1/settlement-runs/{id}/holds: super_admin, approvals:write
GET /v1/settlement-runs/{id}/holds: super_admin, settlement:read
POST /v1/settlement-runs/{id}/holds/{hold}/release: super_admin, approvals:write
POST /v1/settlement-runs/{id}/exclusions: super_admin, approvals:write
POST /v1/settlement-runs/{id}/partners/{partner}/rerun: super_admin, approvals:write
POST /v1/settlement-runs/{id}/reject: super_admin, approvals:write
POST /v1/settlement-runs/{id}/pause: super_admin, approvals:write
POST /v1/settlement-runs/{id}/cancel: super_admin, approvals:write
POST /v1/settlement-runs/{id}/resume: super_admin, approvals:write
POST /v1/settlement-runs/{id}/rerun: super_admin, approvals:write
GET /v1/statements: super_admin master_reseller reseller, statements:read
GET /v1/statements/{id}: super_admin master_reseller reseller, statements:read
GET /v1/statements/{id}/pdf: super_admin master_reseller reseller, statements:read
GET /v1/statements/{id}/csv: super_admin master_reseller reseller, statements:read
GET /v1/reserves: super_admin master_reseller reseller, reserves:read
POST /v1/reserves/{id}/release: super_admin, approvals:write
POST /v1/statements/{id}/disputes: master_reseller reseller, disputes:write
GET /v1/line-disputes: super_admin master_reseller reseller, disputes:read
GET /v1/line-disputes/{id}: super_admin master_reseller reseller, disputes:read
POST /v1/line-disputes/{id}/answer: super_admin master_reseller reseller, disputes:write
POST /v1/line-disputes/{id}/withdraw: master_reseller reseller, disputes:write
POST /v1/line-disputes/{id}/decision: super_admin, approvals:write
GET /v1/partners/{id}/tax-forms: super_admin master_reseller reseller, tax:read
POST /v1/partners/{id}/tax-form: super_admin master_reseller reseller, tax:write
POST /v1/partners/{id}/tax-form/request: super_admin, approvals:write
POST /v1/tax-forms/{id}/decision: super_admin, approvals:write
GET /v1/partners/{id}/self-billing: super_admin master_reseller reseller, tax:read
PUT /v1/partners/{id}/self-billing/profile: super_admin master_reseller reseller, tax:write
POST /v1/partners/{id}/self-billing/profile/verification: super_admin, approvals:write
POST /v1/partners/{id}/self-billing/agreement: super_admin master_reseller reseller, tax:write
DELETE /v1/partners/{id}/self-billing/agreement: super_admin master_reseller reseller, tax:write
GET /v1/tax/vat-rates: super_admin master_reseller reseller, tax:read
PUT /v1/tax/vat-rates: super_admin, approvals:write
GET /v1/self-billing-documents: super_admin master_reseller reseller, tax:read
GET /v1/self-billing-documents/{id}: super_admin master_reseller reseller, tax:read
GET /v1/self-billing-documents/{id}/pdf: super_admin master_reseller reseller, tax:read
GET /v1/tax/self-billing/csv: super_admin, tax:read
GET /v1/settlement-runs/{id}/self-billing: super_admin, settlement:read
GET /v1/tax/1099: super_admin master_reseller reseller, tax:read
GET /v1/tax/1099/csv: super_admin, tax:read
GET /v1/tax/years: super_admin master_reseller reseller, tax:read
PUT /v1/tax/years/{year}: super_admin, approvals:write
GET /v1/payouts: super_admin master_reseller reseller, payouts:read
GET /v1/payouts/{id}: super_admin master_reseller reseller, payouts:read
GET /v1/payouts/{id}/remittance: super_admin master_reseller reseller, payouts:read
GET /v1/payouts/{id}/remittance/pdf: super_admin master_reseller reseller, payouts:read
GET /v1/payout-floors: super_admin, payouts:read
PUT /v1/payout-floors: super_admin, approvals:write
GET /v1/fx-rates: super_admin, payouts:read
PUT /v1/fx-rates: super_admin, approvals:write
GET /v1/partners/{id}/payout-currency: super_admin master_reseller reseller, payouts:read
PUT /v1/partners/{id}/payout-currency: super_admin, approvals:write
GET /v1/payout-exceptions: super_admin, payouts:read
POST /v1/payouts/{id}/retry: super_admin, approvals:write
POST /v1/payouts/{id}/method: super_admin, approvals:write
POST /v1/payouts/{id}/release: super_admin, approvals:write
POST /v1/payouts/{id}/write-off: super_admin, approvals:write
GET /v1/tiers: super_admin master_reseller reseller, tiers:read
GET /v1/tiers/changes: super_admin master_reseller reseller, tiers:read
GET /v1/tiers/reviews: super_admin, tiers:read
GET /v1/partners/{id}/tier: super_admin master_reseller reseller, tiers:read
GET /v1/courses: super_admin master_reseller reseller, training:read
POST /v1/courses: super_admin, courses:write
GET /v1/courses/{id}: super_admin master_reseller reseller, training:read
PUT /v1/courses/{id}: super_admin, courses:write
PUT /v1/courses/{id}/modules/{n}: super_admin, courses:write
DELETE /v1/courses/{id}/modules/{n}: super_admin, courses:write
POST /v1/courses/{id}/publish: super_admin, courses:write
POST /v1/courses/{id}/retire: super_admin, courses:write
GET /v1/enrolments: super_admin master_reseller reseller, training:read
POST /v1/enrolments: master_reseller reseller, training:write
GET /v1/enrolments/{id}: super_admin master_reseller reseller, training:read
POST /v1/enrolments/{id}/modules/{n}/complete: master_reseller reseller, training:write
POST /v1/enrolments/{id}/quiz: master_reseller reseller, training:write
GET /v1/certificates: super_admin master_reseller reseller, training:read
GET /v1/certificates/{number}: anyone
GET /v1/certificates/{id}/pdf: super_admin master_reseller reseller, training:read
POST /v1/certificates/{id}/revocation: super_admin, approvals:write
GET /v1/partners/{id}/certification: super_admin master_reseller reseller, training:read
POST /v1/partners/{id}/tier-override: super_admin, approvals:write
POST /v1/partners/{id}/tier-grace/waive: super_admin, approvals:write
POST /v1/partners/{id}/tier-grace/apply: super_admin, approvals:write
POST /v1/partners/{id}/tier-lock: super_admin, approvals:write
POST /v1/partners/{id}/tier-lock/release: super_admin, approvals:write
POST /v1/partners/{id}/tier-promotion: super_admin, approvals:write
POST /v1/adjustments: super_admin, approvals:write
GET /v1/adjustments: super_admin master_reseller reseller, adjustments:read
GET /v1/adjustments/{id}: super_admin master_reseller reseller, adjustments:read
GET /v1/screenings: super_admin master_reseller, screenings:read
GET /v1/screenings/{id}: super_admin master_reseller, screenings:read
POST /v1/screenings/{id}/override: super_admin, approvals:write
POST /v1/screenings/{id}/confirm: super_admin, approvals:write
GET /v1/approvals: super_admin, approvals:read
GET /v1/approvals/{id}: super_admin, approvals:read
POST /v1/approvals/{id}/approve: super_admin, approvals:write
POST /v1/approvals/{id}/reject: super_admin, approvals:write
POST /v1/approvals/{id}/withdraw: super_admin, approvals:write
POST /v1/simulations: super_admin master_reseller reseller, simulations:read
GET /v1/me: super_admin master_reseller reseller customer, account:read
POST /v1/invitations/accept: anyone
GET /v1/api-keys: super_admin master_reseller reseller customer, keys:read
POST /v1/api-keys: super_admin master_reseller reseller customer, keys:write
GET /v1/api-keys/{id}: super_admin master_reseller reseller customer, keys:read
DELETE /v1/api-keys/{id}: super_admin master_reseller reseller customer, keys:write
POST /v1/api-keys/{id}/roll: super_admin master_reseller reseller customer, keys:write
POST /v1/api-keys/report-leak: anyone
POST /v1/customers/{id}/members: master_reseller reseller, customers:write
POST /v1/customers/{id}/api-keys: master_reseller reseller, customers:write
GET /v1/sign-in/oidc: anyone
GET /v1/sign-in/oidc/callback: anyone
POST /v1/sessions: anyone
GET /v1/sessions: anyone
DELETE /v1/sessions: anyone
GET /v1/sessions/current: anyone
DELETE /v1/sessions/current: anyone
POST /v1/sessions/current/totp: anyone
POST /v1/sessions/current/step-up: anyone
DELETE /v1/sessions/{id}: anyone
GET /v1/second-factors: anyone
POST /v1/second-factors/totp: anyone
DELETE /v1/second-factors/totp: anyone
POST /v1/second-factors/totp/confirm: anyone
POST /v1/second-factors/recovery-codes: anyone
POST /v1/passkeys/options: anyone
POST /v1/passkeys: anyone
GET /v1/passkeys: anyone
POST /v1/sessions/current/passkey/options: anyone
POST /v1/sessions/current/passkey: anyone
DELETE /v1/passkeys/{id}: anyone
POST /v1/passwords: anyone
POST /v1/password-resets: anyone
POST /v1/password-resets/confirm: anyone
GET /v1/members: super_admin master_reseller reseller customer, members:read
GET /v1/members/{id}: super_admin master_reseller reseller customer, members:read
PATCH /v1/members/{id}: super_admin master_reseller reseller customer, members:write
POST /v1/member-invitations: super_admin master_reseller reseller customer, members:write
GET /v1/member-invitations: super_admin master_reseller reseller customer, members:read
DELETE /v1/member-invitations/{id}: super_admin master_reseller reseller customer, members:write
POST /v1/member-invitations/accept: anyone
GET /v1/mail-templates: super_admin master_reseller reseller, mails:read
GET /v1/mail-templates/{template}: super_admin master_reseller reseller, mails:read
PUT /v1/mail-templates/{template}: super_admin master_reseller reseller, mails:write
DELETE /v1/mail-templates/{template}: super_admin master_reseller reseller, mails:write
GET /v1/mail-templates/{template}/preview: super_admin master_reseller reseller, mails:read
POST /v1/mail-templates/{template}/preview: super_admin master_reseller reseller, mails:write
GET /v1/partners/{id}/welcome-mails/stop: anyone
GET /v1/audit-events: super_admin master_reseller reseller, audit:read
GET /v1/audit-events/export: super_admin master_reseller reseller, audit:read
POST /v1/webhooks/stripe: anyone
POST /v1/webhooks/stripe-thin: anyone
POST /v1/webhooks/docusign: anyone
GET /healthz: anyone
GET /readyz: anyone`
  .trim()
  .split('\n')

/** A course that a member of a partner passes. */
import type { Story } from './client.ts'

/** Leaves a certificate behind, and with it the process that watches it. */
export async function passCourse(
  story: Story,
  keys: { owner: string; learner: string },
): Promise<void> {
  const terms = { code: 'first-steps', title: 'First steps', validity_days: 365, pass_score: 100 }
  const write = { method: 'POST', key: keys.owner } as const
  const course = await story.api<{ id: string }>('/v1/courses', { ...write, body: terms })
  await story.api(`/v1/courses/${course.id}/modules/1`, {
    method: 'PUT',
    key: keys.owner,
    body: {
      title: 'Selling',
      body: 'Sell what you would buy.',
      minutes: 5,
      quiz: [{ id: 'q1', text: 'What do you sell?', options: ['Anything', 'This'], right: [1] }],
    },
  })
  await story.api(`/v1/courses/${course.id}/publish`, write)
  const learn = { method: 'POST', key: keys.learner } as const
  const enrolment = await story.api<{ id: string }>('/v1/enrolments', {
    ...learn,
    body: { course: course.id },
  })
  await story.api(`/v1/enrolments/${enrolment.id}/modules/1/complete`, learn)
  await story.api(`/v1/enrolments/${enrolment.id}/quiz`, {
    ...learn,
    body: { answers: [{ question: 'q1', options: [1] }] },
  })
}

/** Who learns in the world of the matrix. */
import { sql } from 'kysely'
import type { Db } from '../../db/database.ts'
import { makeCertificate, makeCourse, makeEnrolment } from '../support/training.ts'
import { placeNames, type World } from './world.ts'

/** Of each place, one who has passed a course, and is at another one. */
export async function makeLearners(db: Db, world: World): Promise<void> {
  const [passed, open] = [await makeCourse(db), await makeCourse(db)]
  for (const place of placeNames) {
    const partnerId = world[place].id
    const { rows } = await sql<{ id: string }>`
      select member_id as id from api_keys where partner_id = ${partnerId}
        and customer_id is null order by id limit 1`.execute(db)
    const memberId = rows[0]?.id ?? ''
    await makeEnrolment(db, { partnerId, memberId, courseId: open })
    await makeCertificate(db, { partnerId, memberId, courseId: passed })
  }
}

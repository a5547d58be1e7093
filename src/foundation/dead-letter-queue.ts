/** Names the queue beside a queue where its dead letters are parked. */

const SUFFIX = '-dead-letter';

/** @returns `email-queue-dead-letter` for `email-queue` */
export function deadLetterQueue(id: string): string {
  return `${id}${SUFFIX}`;
}

export function isDeadLetterQueue(id: string): boolean {
  return id.endsWith(SUFFIX);
}

/** A queue's own id may have 100 characters, and so may that of its dead letters. */
export const LONGEST_QUEUE_ID = 100 - SUFFIX.length;

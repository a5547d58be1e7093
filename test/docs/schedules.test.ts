/** docs/schedules.md shows code that compiles, and tells of schedules what is so. */
import { describe, expect, test } from '@jest/globals';
import { Calendar } from '../../src/adapters/cron-calendar.js';
import { DAY, MILLISECOND } from '../../src/engine/time.js';
import { planQueues } from '../../src/host/queues-file.js';
import { Markdown } from '../support/markdown.js';
import { compileUserCode } from '../support/user-code.js';

const doc = new Markdown('docs/schedules.md');
const calendar = new Calendar();

test('its code compiles', () => {
  const compiled = compileUserCode(doc.code('ts'));
  expect(compiled.map(({ problems }) => problems)).toEqual([[]]);
}, 60_000);

test('its file is read', () => {
  const [file = ''] = doc.code('yaml');
  const { schedules = [] } = planQueues(file, 'tasks.config.yaml');
  expect(schedules).toMatchObject([
    { name: 'nightly-clean-up', overlap: 'skip', retry: { retryCount: 5 } },
    { name: 'weekly-report', schedule: 'every monday 09:00' },
  ]);
});

test('its error is the one that there is', () => {
  const [text = ''] = doc.code('text');
  const [, message = ''] = /schedule: (Schedule .*)/.exec(text) ?? [];
  expect(() => calendar.parse('0 3 * * * *', 'Etc/UTC')).toThrow(message);
});

describe('when clocks are set, in Los Angeles:', () => {
  const rows = doc.table('Schedule', 'On', 'Ticks (UTC)', 'Why');
  test.each(rows.map((row) => [row.Schedule, row.On, row['Ticks (UTC)']] as const))(
    '%s on %s',
    (schedule, day, expected) => {
      const ticks = calendar.parse(schedule.slice(1, -1), 'America/Los_Angeles');
      const from = Date.parse(`${day}T06:59:59Z`) * MILLISECOND;
      const times: string[] = [];
      for (let at = ticks.next(from); at !== undefined && at < from + DAY; at = ticks.next(at)) {
        times.push(new Date(at / MILLISECOND).toISOString().slice(11, 16));
      }
      const told = expected.split(', ');
      const start = times.indexOf(told[0] ?? '');
      expect(times.slice(start, start + told.length)).toEqual(told);
      // Where the times of the day are few, these are all of them.
      if (times.length < 12) expect(times).toEqual(told);
    },
  );
});

test.each(doc.table('Schedule', 'Ticks').map(({ Schedule }) => Schedule))(
  '%s is a schedule',
  (schedule) => {
    expect(calendar.parse(schedule.slice(1, -1), 'Etc/UTC').form).toBe('groc');
  },
);

test('its links lead somewhere', () => {
  expect(doc.brokenLinks()).toEqual([]);
});

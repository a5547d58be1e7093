/** A schedule as a list of cloud resources has it: a `cloud_scheduler` row that names a handler's URL. */
import type { CheckTicks } from '../foundation/schedule-form.js';
import { checked, DEFAULT_RETRIES } from '../foundation/schedule-form.js';
import type { WantedSchedule } from '../foundation/schedule-plan.js';
import type { YamlPlace } from '../foundation/yaml-place.js';

const NAME = /^[A-Za-z0-9_-]{1,500}$/;

/**
 * Its `target_url` is a handler's: the path says which, and the app makes a task for it. Where the
 * worker is, whoever writes the file can't know.
 *
 * @throws CloudTasksError with the file, the line, the field and what was expected
 */
export function readScheduler(place: YamlPlace, check: CheckTicks): WantedSchedule {
  const fields = place.fields(['id', 'type', 'name', 'provider', 'config']);
  fields.get('provider')?.oneOf(['gcp']);
  const named = fields.get('name') ?? fields.get('id') ?? place.refuse('a schedule with a name');
  const name = named.text(NAME, 'a name of 1 to 500 letters, digits, hyphens and underscores');
  const config = fields.get('config') ?? place.refuse('a schedule with its config');
  const own = config.fields(['schedule', 'target_url', 'time_zone', 'retry_count', 'description']);
  const schedule = own.get('schedule') ?? config.refuse("a schedule such as '0 3 * * *'");
  const target = own.get('target_url') ?? config.refuse('a target_url');
  const url = target.text(/^https?:\/\/[^/\s]+\/[^\s?#]+$/, "a handler's URL without a query");
  const retryCount = own
    .get('retry_count')
    ?.number((value) => [0, 1, 2, 3, 4, 5].includes(value), 'a whole number from 0 to 5');
  const description = own.get('description')?.text(/^[^]{1,400}$/, 'at most 400 characters');
  return checked(check, schedule, own.get('time_zone') ?? schedule, {
    name,
    schedule: schedule.text(/^[^]+$/, "a schedule such as '0 3 * * *'"),
    timeZone: own.get('time_zone')?.text(/^[^]+$/, 'a time zone') ?? 'Etc/UTC',
    task: new URL(url).pathname,
    overlap: 'allow',
    retry: { retryCount: retryCount ?? DEFAULT_RETRIES },
    ...(description === undefined ? {} : { description }),
    at: place.at,
  });
}

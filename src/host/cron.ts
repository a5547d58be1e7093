/** The calendar of this machine, for those who read schedules where no engine runs. */
export { Calendar } from '../adapters/cron-calendar.js';

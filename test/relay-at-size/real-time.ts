/** Time that really passes: how long calls are held, and processes stopped, is what is shown here. */
// eslint-disable-next-line no-restricted-imports -- these runs are about real processes and real time
export { setTimeout as pause } from 'node:timers/promises';

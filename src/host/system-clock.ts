/** Hands the machine's clock to the modules, which may not reach an adapter themselves. */
export { SystemClock } from '../adapters/system-clock.js';
